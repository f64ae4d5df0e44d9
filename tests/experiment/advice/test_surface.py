from __future__ import annotations

import numpy as np
import pytest

from detreduce.errors import InputError
from detreduce.experiment.advice.surface import Configuration, configurations, fit_surface

TOTAL, EPOCHS = 400, 20


def truth(method: str, images: int, seen: float) -> float:
    worth = {"good": 0.6, "bad": -0.6}.get(method, 0.0)
    effective = images * np.exp(worth * (1 - images / TOTAL))
    return float(0.65 * (1 - (1 + effective / 30) ** -0.6) * (1 - (1 + seen / 800) ** -0.8))


def grid(spread: float = 0.0, seed: int = 0) -> list[Configuration]:
    rng = np.random.default_rng(seed)
    places = [("full", TOTAL, TOTAL * EPOCHS)]
    places += [("full_equal_iterations", TOTAL, images * EPOCHS) for images in (40, 100, 200)]
    places += [(name, images, images * EPOCHS) for name in ("srs", "good", "bad") for images in (40, 100, 200)]
    return [
        Configuration(name, images, seen, tuple(truth(name, images, seen) + spread * rng.standard_normal(3)))
        for name, images, seen in places
    ]


def test_a_surface_of_this_form_is_found_again() -> None:
    surface = fit_surface(grid(), TOTAL, samples=60)
    for method in ("srs", "good", "bad"):
        for images, seen in ((60, 60 * EPOCHS), (150, 150 * EPOCHS), (100, 200 * EPOCHS)):
            assert surface.means(method, images, seen).mean() == pytest.approx(truth(method, images, seen), abs=0.02)
    quarter = [surface.means(method, 100, 2000).mean() for method in ("bad", "srs", "good")]
    assert quarter == sorted(quarter)
    assert surface.means("good", TOTAL, 8000) == pytest.approx(surface.means("srs", TOTAL, 8000)), "all images are all"
    assert surface.methods == ("bad", "good")


def test_intervals_hold_what_was_held_back() -> None:
    held, inside = 0, 0
    for repeat in range(2):
        cells = grid(0.015, seed=repeat)
        for place in range(repeat, len(cells), 2):
            rest = cells[:place] + cells[place + 1 :]
            surface = fit_surface(rest, TOTAL, samples=60, seed=repeat)
            cell = cells[place]
            low, high = np.quantile(surface.runs(cell.method, cell.images, cell.images_seen), [0.1, 0.9])
            held += len(cell.values)
            inside += sum(low <= value <= high for value in cell.values)
    assert 0.65 <= inside / held <= 0.95, "80 % intervals"


def test_more_noise_is_less_certainty() -> None:
    quiet, noisy = (fit_surface(grid(spread), TOTAL, samples=40) for spread in (0.002, 0.05))
    assert noisy.run_spread > 2 * quiet.run_spread
    assert np.ptp(noisy.runs("srs", 80, 1600)) > np.ptp(quiet.runs("srs", 80, 1600))


def test_too_little_to_fit() -> None:
    with pytest.raises(InputError, match=r"2 different configurations .* at least 3"):
        fit_surface(grid()[:2], TOTAL)
    # only controls that are missing are advised
    for cells, missing in ((grid()[:1], ["full_equal_iterations"]), (grid()[4:6], ["full", "full_equal_iterations"])):
        with pytest.raises(InputError) as stopped:
            fit_surface(cells, TOTAL)
        named = str(stopped.value).partition("Add other keeps")[2].replace(",", "").split()
        assert [name for name in named if name.startswith("full")] == missing
    surface = fit_surface(grid()[:6], TOTAL, samples=5)
    with pytest.raises(InputError, match="the method 'good'"):
        surface.means("good", 10, 10)


def test_rows_become_configurations() -> None:
    def row(label: str, images: int, value: float | None) -> dict:
        return {"label": label, "images": images, "images_seen": images * 20, "mAP50": value}

    rows = [row("srs", 40, 0.2), row("srs", 40, 0.3), row("srs", 80, 0.4), row("mms", 40, None)]
    assert configurations(rows, "mAP50") == [
        Configuration("srs", 40, 800.0, (0.2, 0.3)),
        Configuration("srs", 80, 1600.0, (0.4,)),
    ]
