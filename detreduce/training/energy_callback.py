"""Ultralytics callbacks that meter the energy of a user's own ``YOLO(...).train()``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from detreduce.errors import DetreduceError
from detreduce.machine.files import write_atomically
from detreduce.machine.json_values import json_text
from detreduce.training.energy import EnergyMeter, PhaseEnergy, carbon_intensity, check_country, together
from detreduce.version import __version__

Callback = Callable[[Any], None]
FILE = "energy.json"
FORMAT_VERSION = 1


def energy_callback(country: str = "ESP") -> EnergyCallback:
    """Return callbacks that record the energy of an ultralytics training: ``dr.energy_callback().attach(model)``.

    ::

        model = YOLO("yolo11n.pt")
        energy = dr.energy_callback(country="ESP").attach(model)
        model.train(data="data.yaml", epochs=50)
        print(energy.total.wh)

    After the training, the callbacks print one line and write ``energy.json`` to the run folder (``trainer.save_dir``).
    This file has the energy of each phase and hardware component, and says how each number was obtained. If the
    training fails, the file has the energy up to the failure and ``"completed": false``.

    The callbacks meter the whole machine, as `EnergyMeter` does. If ultralytics trains on several GPUs, the callbacks
    record nothing, because ultralytics then starts other processes without callbacks.

    Parameters
    ----------
    country
        The country whose electricity mix is used to convert energy to CO2 (ISO 3166 alpha-3 code).

    Raises
    ------
    InputError
        The electricity mix of the country is unknown.
    """
    return EnergyCallback(country)


class EnergyCallback(Mapping[str, Callback]):
    """A mapping from ultralytics' events to callbacks. `attach` adds all callbacks to a model.

    Metering starts at ``on_train_start``, when the data are loaded, and ends after the last evaluation. Validations
    count as the phase ``validation``, and everything else as the phase ``training``. Each new training starts with zero
    energy.

    Attributes
    ----------
    phases
        Name of a phase -> its energy. The phases belong to the running training. After a training, they stay until the
        next one starts.
    file
        Path of the ``energy.json`` that was written for the last training. None if no training has ended yet, or if the
        file could not be written.
    """

    def __init__(self, country: str = "ESP") -> None:
        self.country = check_country(country)
        self.phases: dict[str, PhaseEnergy] = {}
        self.file: Path | None = None
        self._open: dict[Literal["training", "validation"], ExitStack] = {}
        self._meter = EnergyMeter(self.country)
        self._callbacks: dict[str, Callback] = {
            "on_train_start": self._started,
            "on_val_start": self._validation_started,
            "on_val_end": self._validation_ended,
            "on_train_end": lambda trainer: self._ended(trainer, completed=True),
            # ultralytics also calls this after a failed training
            "teardown": lambda trainer: self._ended(trainer, completed=False),
        }

    def __repr__(self) -> str:
        return f"EnergyCallback({self.country}, {describe(self.total) if self.phases else 'nothing recorded yet'})"

    def __getitem__(self, event: str) -> Callback:
        return self._callbacks[event]

    def __iter__(self) -> Iterator[str]:
        return iter(self._callbacks)

    def __len__(self) -> int:
        return len(self._callbacks)

    @property
    def total(self) -> PhaseEnergy:
        """The total energy of the last training, over all its phases."""
        return together(list(self.phases.values()))

    def attach(self, model: Any) -> EnergyCallback:
        """Add all callbacks to an ultralytics model, and return this object."""
        for event, callback in self.items():
            model.add_callback(event, callback)
        return self

    def _started(self, trainer: Any) -> None:
        # close the phases of an earlier training that ended without an event
        self._close()
        self._meter = EnergyMeter(self.country)
        self.phases, self.file = self._meter.phases, None
        self._enter("training")

    def _validation_started(self, validator: Any) -> None:
        # do not meter `model.val()` outside a training
        if "training" in self._open:
            self._enter("validation")

    def _validation_ended(self, validator: Any) -> None:
        if "validation" in self._open:
            self._open.pop("validation").close()

    def _ended(self, trainer: Any, *, completed: bool) -> None:
        if "training" not in self._open:
            return
        self._close()
        line = f"Energy: {describe(self.total)}"
        file = Path(trainer.save_dir) / FILE
        try:
            content = json_text(self._content(completed=completed))
            write_atomically(file, lambda handle: handle.write(content.encode()))
            self.file = file
            line += f"; see {file}"
        except DetreduceError as error:
            line += f"; {error}"
        # print to stdout, as ultralytics itself does
        print(line if completed else f"{line} (the training failed)")

    def _content(self, *, completed: bool) -> dict[str, Any]:
        return {
            "detreduce_energy": FORMAT_VERSION,
            "completed": completed,
            "total": self.total.model_dump(),
            "phases": {name: phase.model_dump() for name, phase in self.phases.items()},
            "carbon_intensity": carbon_intensity(self.country),
            "versions": {
                "detreduce": __version__,
                **{name: version(name) for name in ("ultralytics", "codecarbon", "torch")},
            },
        }

    def _enter(self, phase: Literal["training", "validation"]) -> None:
        if phase not in self._open:
            self._open[phase] = ExitStack()
            self._open[phase].enter_context(self._meter.measure(phase))

    def _close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


def describe(energy: PhaseEnergy) -> str:
    """Return an energy as text, for example ``1.2 Wh (cpu 1.2 Wh modelled), 0.3 g CO2, 5.0 min``."""
    minutes = f"{energy.seconds / 60:.1f} min"
    if energy.wh is None or energy.g_co2 is None:
        return f"not metered ({energy.unavailable}); {minutes}"
    parts = ", ".join(f"{name} {part.wh:.3g} Wh {part.provenance}" for name, part in energy.components.items())
    return f"{energy.wh:.3g} Wh ({parts}), {energy.g_co2:.3g} g CO2, {minutes}"
