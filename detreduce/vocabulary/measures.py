"""The metrics of a finished experiment cell (one training): keys in the tidy table -> names in reports."""

from __future__ import annotations

ACCURACIES = {"mAP50": "mAP50", "mAP50_95": "mAP50-95"}
MAIN_ACCURACY = "mAP50_95"
LEAST_MAP = 0.0005
"""An mAP below this is shown as 0.000. The training was too short, and shares of such an mAP have no meaning."""
COSTS = {"Wh": "Wh", "g_co2": "g CO2", "minutes": "minutes", "TFLOPs": "TFLOPs"}
METERED = ("Wh", "g_co2", "minutes")
"""Costs that change if another training runs on the same machine at the same time."""
CHOOSING_PHASES = ("features", "selection", "proxy_training", "duplicates", "stream")
"""Phases of choosing images, or of computing their stream. The tidy table has two columns for each phase:
``<phase>_Wh`` and ``<phase>_seconds``."""
