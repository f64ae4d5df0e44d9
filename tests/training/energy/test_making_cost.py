"""The cost of features is the cost of computing them, even if they come from a cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from detreduce.training.energy import ComponentEnergy, PhaseEnergy
from detreduce.training.energy.making_cost import COST_FILE, charged


def energy(wh: float, seconds: float = 10.0) -> PhaseEnergy:
    parts = {"cpu": ComponentEnergy(wh=wh, provenance="modelled", method="load")}
    return PhaseEnergy(seconds=seconds, wh=wh, g_co2=wh / 5, components=parts, country="ESP")


def test_all_made_is_as_metered_and_kept_as_the_rate(tmp_path: Path) -> None:
    store = {"store": str(tmp_path / "store")}
    assert charged(store, 100, 100, energy(2.0)) == energy(2.0)
    later = charged(store, 0, 50, energy(0.01, 0.1))
    assert later.wh == pytest.approx(0.01 + 2.0 * 50 / 100) and later.seconds == pytest.approx(0.1 + 5)
    assert later.g_co2 == pytest.approx(later.wh / 5) and later.components["cpu"].wh == pytest.approx(later.wh)


def test_some_made_now_are_the_rate_of_the_others(tmp_path: Path) -> None:
    found = charged({"store": str(tmp_path)}, 50, 200, energy(1.0))
    assert found.wh == pytest.approx(4.0)


def test_without_a_rate_the_energy_is_not_known(tmp_path: Path) -> None:
    found = charged({"store": str(tmp_path)}, 0, 40, energy(0.01))
    assert found.wh is None and found.seconds == 10.0
    assert "40 images were in the cache" in str(found.unavailable)
    assert charged({"store": str(tmp_path)}, 2, 40, energy(1.0)).wh is None, "two images are no rate"


def test_a_rate_of_more_images_stays_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    store = {"store": str(tmp_path)}
    charged(store, 100, 100, energy(2.0))
    charged(store, 10, 10, energy(5.0))
    assert charged(store, 0, 100, energy(0.0)).wh == pytest.approx(2.0)
    (tmp_path / COST_FILE).write_text("{")
    assert charged(store, 0, 100, energy(0.0)).wh is None


def test_features_without_a_store_cost_what_was_metered() -> None:
    assert charged({}, 0, 10, energy(0.5)) == energy(0.5)
