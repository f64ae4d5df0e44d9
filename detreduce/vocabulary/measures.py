"""The metrics of a finished cell (one training): their keys in the tidy table, and their names in reports."""

from __future__ import annotations

ACCURACIES = {"mAP50": "mAP50", "mAP50_95": "mAP50-95"}
MAIN_ACCURACY = "mAP50_95"
LEAST_MAP = 0.0005
"""Smallest mAP that is not shown as 0.000. A smaller mAP means that the training was too short to be compared."""
COSTS = {"Wh": "Wh", "g_co2": "g CO2", "minutes": "minutes", "TFLOPs": "TFLOPs"}
METERED = ("Wh", "g_co2", "minutes")
"""Costs that are wrong if another training runs on the same machine at the same time."""
CHOOSING_PHASES = ("features", "selection", "proxy_training", "duplicates", "stream")
"""Phases in which images are chosen or a stream is computed.

The tidy table has two columns for each phase: ``<phase>_Wh`` and ``<phase>_seconds``.
"""
