"""bfloat16 where the processor has it and the features stay close to float32's; decided on two fixed photographs."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import cv2
import numpy as np

from detreduce.errors import InputError, nearest
from detreduce.features.embedding import embed_batch
from detreduce.features.images import RGB, Preprocess
from detreduce.features.store import write_atomically

if TYPE_CHECKING:
    import torch

    from detreduce.features.backbones import Backbone, Network

Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS = ("auto", "float32", "bfloat16")
TOLERANCE = 1e-2


def check_precision(precision: str) -> None:
    """Raise InputError for a precision that does not exist."""
    if precision not in PRECISIONS:
        raise InputError(f"precision={precision!r}: one of {', '.join(PRECISIONS)}.{nearest(precision, PRECISIONS)}")


def resolve_precision(backbone: Backbone, device: torch.device, folder: Path) -> tuple[str, dict[str, Any]]:
    """Turn ``auto`` into ``bfloat16`` or ``float32``, and say why.

    bfloat16 is taken where the hardware computes it natively and no probe image's vector differs from float32's by more
    than 1e-2 in relative Euclidean length. The probe does not depend on the dataset, so that the cache key does not
    either; its result is kept.
    """
    if not _native_bfloat16(device):
        return "float32", {"why": "no native bfloat16"}
    import torch

    text = json.dumps([backbone.key, device.type, torch.__version__, _processor(device)], sort_keys=True)
    memo = folder / "features" / "precision" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
    error = _remembered(memo)
    if error is None:
        error = bfloat16_error(backbone, device)
        with contextlib.suppress(OSError):  # the store warns of an unwritable cache
            write_atomically(memo, lambda file: file.write(json.dumps({"bfloat16_error": error}).encode()))
    chosen = "bfloat16" if error <= TOLERANCE else "float32"
    return chosen, {"bfloat16_error": error, "tolerance": TOLERANCE}


def bfloat16_error(backbone: Backbone, device: torch.device) -> float:
    """The largest relative difference of a probe image's vector in bfloat16 from float32's."""
    images = probe_images(backbone.preprocess)
    exact = embed_batch(make_network(backbone, device, "float32"), images).astype(np.float64)
    rough = embed_batch(make_network(backbone, device, "bfloat16"), images)
    return float((np.linalg.norm(rough - exact, axis=1) / np.linalg.norm(exact, axis=1)).max())


def probe_images(preprocess: Preprocess) -> list[RGB]:
    """Scikit-learn's two photographs, whole and in quarters."""
    from sklearn.datasets import load_sample_images

    crops = []
    for photograph in load_sample_images().images:
        height, width = (side // 2 for side in photograph.shape[:2])
        crops.append(photograph)
        crops += [photograph[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
    # one shape, so that they make one batch
    return [preprocess(cv2.resize(np.ascontiguousarray(crop), (640, 480))) for crop in crops]  # type: ignore[arg-type]


def make_network(backbone: Backbone, device: torch.device, precision: str) -> Network:
    """Build a backbone's network on a device at ``float32`` or ``bfloat16``."""
    import torch

    from detreduce.features.backbones import Network

    return Network(backbone.build(), backbone.preprocess, device, cast("torch.dtype", getattr(torch, precision)))


def _remembered(memo: Path) -> float | None:
    try:
        return float(json.loads(memo.read_bytes())["bfloat16_error"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _native_bfloat16(device: torch.device) -> bool:
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # emulated bfloat16 is slower than float32
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(test()) for test in tests if test is not None)


def _processor(device: torch.device) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
