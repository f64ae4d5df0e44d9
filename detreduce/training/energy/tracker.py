"""Create a codecarbon tracker that uses no files and no network, and say how it obtains its numbers."""

from __future__ import annotations

import inspect
import logging
from typing import Any

from detreduce.training.energy.figures import Provenance

SAMPLE_SECONDS = 5.0


def make_tracker(country: str) -> Any:
    """Return a codecarbon tracker that has not been started. It does not log, write files or use the network."""
    # codecarbon already logs before it sets its own log level
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    from codecarbon import OfflineEmissionsTracker

    wanted: dict[str, Any] = {
        "country_iso_code": country,
        "measure_power_secs": SAMPLE_SECONDS,
        "log_level": "critical",
        # codecarbon's lock file would make a second training fail silently; `concurrent_runs` detects overlaps instead
        "allow_multiple_runs": True,
        # a token in the user's configuration would make codecarbon send requests
        "electricitymaps_api_token": None,
        "output_methods": [],
    }
    known = inspect.signature(OfflineEmissionsTracker.__mro__[1]).parameters
    if "output_methods" not in known:
        wanted.pop("output_methods")
        wanted |= {"save_to_file": False, "save_to_api": False}
    arguments = {name: value for name, value in wanted.items() if name in known or name == "country_iso_code"}
    tracker = OfflineEmissionsTracker(**arguments)
    # under an old name, codecarbon still reads the token from the configuration
    tracker._electricitymaps_api_token = None
    return tracker


def provenances(tracker: Any) -> dict[str, tuple[Provenance, str]]:
    """Return (provenance, method in words) for each hardware component of a started codecarbon tracker."""
    found: dict[str, tuple[Provenance, str]] = {}
    for hardware in getattr(tracker, "_hardware", []):
        kind = type(hardware).__name__
        if kind == "CPU":
            found["cpu"] = _cpu_provenance(hardware)
        elif kind == "GPU":
            found["gpu"] = ("measured", "the GPU's own counter (NVML or AMD SMI)")
        elif kind == "RAM":
            forced = getattr(hardware, "_force_ram_power", None)
            found["ram"] = (
                "constant",
                "watts set by the user" if forced else "fixed watts per memory slot, for any load",
            )
        else:  # Apple silicon and Raspberry Pi have one object for each part, and each part has a sensor
            part = str(getattr(hardware, "chip_part", "cpu")).lower()
            found[part] = ("measured", f"{kind} power sensors")
    return found


def _cpu_provenance(cpu: Any) -> tuple[Provenance, str]:
    mode = getattr(cpu, "_mode", "unknown")
    tdp = getattr(cpu, "_tdp", None)
    if mode == "cpu_load":
        return "modelled", f"load of the machine x {tdp} W ({getattr(cpu, '_model', 'unknown CPU')})"
    if mode == "constant":
        return "constant", f"half of the CPU's {tdp} W"
    return "measured", {"intel_rapl": "RAPL"}.get(mode, mode)
