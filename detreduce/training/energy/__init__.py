"""Meter the energy and CO2 of each phase and hardware component, and say how each number was obtained."""

from detreduce.training.energy.country import carbon_intensity, check_country
from detreduce.training.energy.figures import ComponentEnergy, PhaseEnergy, phase_columns, scaled, together
from detreduce.training.energy.meter import EnergyMeter
from detreduce.training.energy.tracker import SAMPLE_SECONDS

__all__ = [
    "SAMPLE_SECONDS",
    "ComponentEnergy",
    "EnergyMeter",
    "PhaseEnergy",
    "carbon_intensity",
    "check_country",
    "phase_columns",
    "scaled",
    "together",
]
