"""The precision `auto`: use bfloat16 if the device supports it and if features of test images stay close to float32."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import Executor
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from detreduce.errors import DetreduceError, InputError, nearest
from detreduce.features.pixels.embedding import embed_batch
from detreduce.images.decode import RGB, Preprocess, decode
from detreduce.machine.files import write_atomically
from detreduce.machine.hashes import json_hash
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, read_regular

if TYPE_CHECKING:
    import torch

    from detreduce.features.backbones import Backbone, Network

Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS = ("auto", "float32", "bfloat16")
TOLERANCE = 1e-2
"""The largest relative difference from float32 at which ``auto`` chooses bfloat16."""


def check_precision(precision: str) -> None:
    """Raise InputError if the precision is unknown."""
    if precision not in PRECISIONS:
        raise InputError(
            f"precision={precision!r} is not known. Use one of {', '.join(PRECISIONS)}.{nearest(precision, PRECISIONS)}"
        )


def resolve_precision(networks: Networks, folder: Path, pool: Executor) -> tuple[str, dict[str, Any]]:
    """Choose between ``bfloat16`` and ``float32`` for the precision ``auto``. Return the choice and the reasons for it.

    bfloat16 is chosen if the device supports it natively, and if the bfloat16 vector of every test image is close to
    its float32 vector. "Close" means that the relative Euclidean difference is at most 1e-2. The test images are always
    the same, so the choice does not depend on the dataset. The measured difference is stored in the cache folder
    `folder`.
    """
    if not _native_bfloat16(networks.device):
        return "float32", {"why": "no native bfloat16"}
    import torch

    subject = [networks.backbone.key, networks.device.type, torch.__version__, _processor(networks.device)]
    memo = folder / "features" / "precision" / f"{json_hash(subject)[:24]}.json"
    error = _read_error(memo)
    if error is None:
        error = bfloat16_error(networks, pool)
        # an unwritable cache needs no warning here, because the vector store already warns about it
        with contextlib.suppress(DetreduceError):
            write_atomically(memo, lambda file: file.write(json.dumps({"bfloat16_error": error}).encode()))
    chosen = "bfloat16" if error <= TOLERANCE else "float32"
    return chosen, {"bfloat16_error": error, "tolerance": TOLERANCE}


def bfloat16_error(networks: Networks, pool: Executor) -> float:
    """Return the largest relative difference between the bfloat16 and the float32 vectors of the test images."""
    images = probe_images(networks.backbone.preprocess)
    both = [
        [pool.submit(embed_batch, networks(precision), [image], 1) for image in images]
        for precision in ("float32", "bfloat16")
    ]
    exact, rough = (np.concatenate([future.result().images for future in row]).astype(np.float64) for row in both)
    error = float((np.linalg.norm(rough - exact, axis=1) / np.linalg.norm(exact, axis=1)).max())
    return error if np.isfinite(error) else float(np.finfo(np.float64).max)


def probe_images(preprocess: Preprocess) -> list[RGB]:
    """Return four test images of the same shape: scikit-learn's two photographs and the top left quarter of each."""
    spec = find_spec("sklearn")
    folder = Path(str(spec and spec.origin)).parent / "datasets" / "images"
    photographs = [decode((folder / name).read_bytes()) for name in ("china.jpg", "flower.jpg")]
    quarters = [photograph[: len(photograph) // 2, : photograph.shape[1] // 2] for photograph in photographs]
    images = (cv2.resize(image, (640, 480)) for image in photographs + quarters)
    return [preprocess(image) for image in images]  # type: ignore[arg-type]


class Networks:
    """The networks of a backbone on a device, one for each precision. A network is built at its first use."""

    def __init__(self, backbone: Backbone, device: torch.device) -> None:
        self.backbone, self.device = backbone, device
        self._built: torch.nn.Module | None = None
        self._made: dict[str, Network] = {}

    def __call__(self, precision: str) -> Network:
        """Return the network in ``float32`` or ``bfloat16``."""
        import torch

        from detreduce.features.backbones import Network

        if precision not in self._made:
            self._built = self._built if self._built is not None else self.backbone.build()
            dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
            self._made[precision] = Network(deepcopy(self._built), self.backbone.preprocess, self.device, dtype)
        return self._made[precision]


def _read_error(memo: Path) -> float | None:
    """Return the difference that an earlier run measured and stored, or None if there is no valid file."""
    try:
        return float(parse_json(read_regular(memo, RECORDS))["bfloat16_error"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


def _native_bfloat16(device: torch.device) -> bool:
    """Return whether the device computes bfloat16 natively rather than by emulation."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # do not accept emulated bfloat16, because it is slower than float32
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(test()) for test in tests if test is not None)


def _processor(device: torch.device) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
