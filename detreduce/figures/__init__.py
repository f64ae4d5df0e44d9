"""Figures for notebooks and the report: pure functions that turn arrays and tidy rows into matplotlib figures."""

from detreduce.figures.cost import energy_by_phase, learning_curves, trade_off
from detreduce.figures.data import category_bars, class_and_size_bars, class_bars, feature_map, size_bars
from detreduce.figures.differences import difference_intervals
from detreduce.figures.training import training_curves

__all__ = [
    "category_bars",
    "class_and_size_bars",
    "class_bars",
    "difference_intervals",
    "energy_by_phase",
    "feature_map",
    "learning_curves",
    "size_bars",
    "trade_off",
    "training_curves",
]
