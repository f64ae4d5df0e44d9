"""The benchmark of a million images runs, with a few hundred images."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = ROOT / "scripts" / "benchmarks" / "million.py"
STEPS = ["load", "csod", "near-duplicates", "write", "load again"]


def test_steps_of_a_small_dataset(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--images", "200", "--sizes", "whole", "--folder", tmp_path, "--steps", *STEPS],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]
    assert [row[0] for row in rows[2:]] == STEPS, done.stderr
    results = {row[0]: row[-1] for row in rows[2:]}
    assert results["csod"].startswith("20 images")
    assert results["near-duplicates"] == "4 of 4 copies"
    assert results["write"] == "20 images"
    assert results["load"].endswith("boxes")
    # the features are not read, but mapped
    assert np.load(tmp_path / "images.npy", mmap_mode="r").dtype == np.float16


def test_predicted_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARK.parent)
    import million

    sizes = [250, 500, 1000]
    assert million.predict(sizes, [2 * n for n in sizes], 10_000) == pytest.approx(20_000)
    assert million.predict(sizes, [2 * n + 3 * n**2 for n in sizes], 10_000) == pytest.approx(2e4 + 3e8)
    assert million.exponent(sizes, [n**1.5 for n in sizes]) == pytest.approx(1.5)
    assert np.isnan(million.exponent(sizes[:1], [1.0]))
    assert np.isnan(million.predict(sizes[:1], [1.0], 10))
