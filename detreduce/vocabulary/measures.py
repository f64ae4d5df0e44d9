"""The figures of a finished cell: their keys in tidy rows and the names that people read."""

from __future__ import annotations

ACCURACIES = {"mAP50": "mAP50", "mAP50_95": "mAP50-95"}
MAIN_ACCURACY = "mAP50_95"
COSTS = {"Wh": "Wh", "g_co2": "g CO2", "minutes": "minutes", "TFLOPs": "TFLOPs"}
METERED = ("Wh", "g_co2", "minutes")
"""Costs that another training on the same machine changes."""
CHOOSING_PHASES = ("features", "selection", "proxy_training", "duplicates")
"""Phases of choosing images: each has a column ``_Wh`` and a column ``_seconds`` in a tidy row."""
