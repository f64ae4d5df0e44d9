"""Clusters are found once, and every training is charged as if it were the first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detreduce.dataset import load_dataset
from detreduce.training.energy import EnergyMeter, PhaseEnergy
from detreduce.training.run.reading import plan_stream as module
from detreduce.training.run.reading.plan_stream import PHASE, plan_stream
from detreduce.training.streams import clusters, resolve
from detreduce.training.streams.stream import Stream

COST = {"signatures": 24.0, "comparison": 3.0, "features": 48.0, "selection": 2.0}
"""Wh of each part in the first training, which computes everything. A later one uses a hundredth for what it reads."""


class _Run:
    """A run folder of which only the dataset matters."""

    def __init__(self, data: Path) -> None:
        self.source = load_dataset(data)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, float]:
    """A meter that reads the Wh of each part from this dict, in a cache of its own."""
    now = dict(COST)

    @contextmanager
    def measure(self: Any, phase: str) -> Iterator[PhaseEnergy]:
        yield PhaseEnergy(seconds=1.0, wh=now[phase], g_co2=now[phase] / 5)

    monkeypatch.setattr(EnergyMeter, "measure", measure)
    monkeypatch.setattr(clusters, "overlapped", lambda: False)
    monkeypatch.setattr(resolve, "overlapped", lambda: False)
    monkeypatch.setattr(module, "rows_by_file", lambda run: {})
    monkeypatch.setenv("DETREDUCE_CACHE", str(tmp_path / "cache"))
    return now


def charge(data: Path, by: Any) -> float | None:
    meter = EnergyMeter()
    plan_stream(Stream(by=by), _Run(data), meter)
    return meter.phases[PHASE].wh


@pytest.mark.parametrize(
    ("by", "made"),
    [("cluster_balanced", ("signatures", "comparison")), ("core_first", ("features", "selection"))],
)
def test_a_later_training_is_charged_as_the_first(
    tiny: Path, parts: dict[str, float], by: Any, made: tuple[str, str]
) -> None:
    first = charge(tiny, by)
    assert first == pytest.approx(sum(COST[name] for name in made))
    parts[made[0]] = COST[made[0]] / 100
    assert charge(tiny, by) == pytest.approx(first + parts[made[0]]), "all images, and reading them from the cache"


def test_the_images_are_compared_once(tiny: Path, parts: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    found = clusters.near_duplicates
    monkeypatch.setattr(clusters, "near_duplicates", lambda *a, **k: compared.append(k) or found(*a, **k))
    dataset, meter = load_dataset(tiny), EnergyMeter()
    first, _ = clusters.cluster_sizes(dataset, meter=meter)
    again, energy = clusters.cluster_sizes(dataset, meter=meter)
    np.testing.assert_array_equal(first, again)
    assert len(compared) == 1 and energy is not None
    other, _ = clusters.cluster_sizes(dataset, 0.5)
    assert len(compared) == 2 and len(other) == len(dataset)
    (tiny.parent / "train/images/003.jpg").write_bytes((tiny.parent / "train/images/004.jpg").read_bytes())
    changed, _ = clusters.cluster_sizes(load_dataset(tiny))
    assert len(compared) == 3 and changed[3] >= 2


@pytest.mark.parametrize("content", ["{", "[]", '{"sizes": [1, 2], "energy": null}', '{"sizes": null, "energy": 1}'])
def test_a_damaged_file_is_made_again(tiny: Path, parts: dict[str, float], tmp_path: Path, content: str) -> None:
    dataset = load_dataset(tiny)
    expected, _ = clusters.cluster_sizes(dataset)
    (file,) = (tmp_path / "cache" / clusters.FOLDER).iterdir()
    file.write_text(content)
    np.testing.assert_array_equal(clusters.cluster_sizes(dataset)[0], expected)
    assert json.loads(file.read_text())["sizes"] == expected.tolist()


def test_clusters_that_were_found_without_a_meter_are_metered_when_a_training_needs_them(
    tiny: Path, parts: dict[str, float]
) -> None:
    clusters.cluster_sizes(load_dataset(tiny))
    energy = clusters.cluster_sizes(load_dataset(tiny), meter=EnergyMeter())[1]
    assert energy is not None and "signatures" in str(energy.unavailable), "nobody metered the signatures"
