"""Metering: sums, pauses, provenance, and a training that goes on without it."""

from __future__ import annotations

import socket
import time
from types import SimpleNamespace
from typing import Any

import pytest

from detreduce.errors import InputError
from detreduce.training.energy import EnergyMeter, PhaseEnergy
from detreduce.training.energy import meter as energy
from detreduce.training.energy.tracker import provenances


class CPU:
    def __init__(self, mode: str) -> None:
        self._mode, self._tdp, self._model = mode, 65, "Some CPU"


class GPU:
    pass


class RAM:
    _force_ram_power = None


class AppleSiliconChip:
    def __init__(self, part: str) -> None:
        self.chip_part = part


class FakeTracker:
    """One Wh of CPU, two Wh of RAM and half a gram for each measurement."""

    def __init__(self) -> None:
        self._hardware = [CPU("cpu_load"), RAM()]
        self.running = False
        self.final_emissions_data: Any = None

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        assert self.running
        self.running = False
        self.final_emissions_data = SimpleNamespace(
            energy_consumed=0.003, emissions=0.0005, cpu_energy=0.001, gpu_energy=0.0, ram_energy=0.002
        )


@pytest.fixture
def trackers(monkeypatch: pytest.MonkeyPatch) -> list[FakeTracker]:
    made: list[FakeTracker] = []

    def make(country: str) -> FakeTracker:
        made.append(FakeTracker())
        return made[-1]

    monkeypatch.setattr(energy, "make_tracker", make)
    return made


def test_a_phase_is_converted_and_split_by_component(trackers: list[FakeTracker]) -> None:
    meter, start = EnergyMeter("ESP"), time.perf_counter()
    with meter.measure("training") as phase:
        time.sleep(0.05)
    elapsed = time.perf_counter() - start
    assert phase is meter.phases["training"]
    assert phase.wh == pytest.approx(3.0)
    assert phase.g_co2 == pytest.approx(0.5)
    assert phase.components["cpu"].wh == pytest.approx(1.0)
    assert phase.components["cpu"].provenance == "modelled"
    assert phase.components["ram"].wh == pytest.approx(2.0)
    assert phase.components["ram"].provenance == "constant"
    assert 0.05 <= phase.seconds <= elapsed


def test_an_inner_phase_pauses_the_outer(trackers: list[FakeTracker]) -> None:
    meter, start = EnergyMeter("ESP"), time.perf_counter()
    with meter.measure("training"):
        for _ in range(2):
            with meter.measure("validation"):
                assert [tracker.running for tracker in trackers].count(True) == 1
                time.sleep(0.1)
    assert meter.phases["training"].wh == pytest.approx(9.0), "three stays"
    assert meter.phases["validation"].wh == pytest.approx(6.0), "two stays"
    elapsed = time.perf_counter() - start
    assert meter.phases["training"].seconds + meter.phases["validation"].seconds <= elapsed
    assert meter.phases["validation"].seconds >= 0.2
    assert not any(tracker.running for tracker in trackers)


def test_an_error_in_the_body_stops_the_tracker(trackers: list[FakeTracker]) -> None:
    meter = EnergyMeter("ESP")
    with pytest.raises(RuntimeError, match="body"), meter.measure("training"):
        raise RuntimeError("body")
    assert meter.phases["training"].wh == pytest.approx(3.0)
    assert not trackers[0].running


def test_without_a_tracker_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(country: str) -> None:
        raise OSError("no sensors")

    monkeypatch.setattr(energy, "make_tracker", broken)
    meter = EnergyMeter("ESP")
    with meter.measure("training") as phase:
        time.sleep(0.02)
    assert phase.wh is None
    assert phase.g_co2 is None
    assert phase.seconds >= 0.02
    assert "no sensors" in (phase.unavailable or "")


def test_a_tracker_that_read_nothing_gives_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(start=lambda: None, stop=lambda: None, _hardware=[CPU("constant")])
    monkeypatch.setattr(energy, "make_tracker", lambda country: silent)
    meter = EnergyMeter("ESP")
    with meter.measure("training") as phase:
        pass
    assert phase.wh is None
    assert phase.unavailable


@pytest.mark.parametrize(
    ("hardware", "part", "provenance"),
    [
        (CPU("intel_rapl"), "cpu", "measured"),
        (CPU("windows_emi"), "cpu", "measured"),
        (CPU("cpu_load"), "cpu", "modelled"),
        (CPU("constant"), "cpu", "constant"),
        (GPU(), "gpu", "measured"),
        (RAM(), "ram", "constant"),
        (AppleSiliconChip("GPU"), "gpu", "measured"),
    ],
)
def test_provenance(hardware: object, part: str, provenance: str) -> None:
    assert provenances(SimpleNamespace(_hardware=[hardware]))[part][0] == provenance


def test_an_unknown_country_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'ESPA'.*Did you mean 'ESP'"):
        EnergyMeter("ESPA")
    assert EnergyMeter("deu").country == "DEU"


def test_codecarbon_itself_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capfd: Any) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("CODECARBON_CO2_SIGNAL_API_TOKEN", "a-token-that-would-ask")
    monkeypatch.chdir(tmp_path)
    meter = EnergyMeter("ESP")
    with meter.measure("training") as phase:
        time.sleep(0.3)
    assert isinstance(phase, PhaseEnergy)
    assert phase.unavailable is None
    assert phase.wh is not None and phase.wh > 0
    assert sum(part.wh for part in phase.components.values()) == pytest.approx(phase.wh)
    # Spain's electricity mix: not free of CO2, and not all coal
    assert phase.g_co2 is not None
    assert 0.05 < phase.g_co2 / phase.wh < 0.9
    assert not list(tmp_path.iterdir()), "no emissions.csv"
    assert "codecarbon" not in capfd.readouterr().err
