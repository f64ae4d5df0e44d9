"""Compute the blocks `dynamics` and `gradients`, which come from a proxy training, for `extract_features`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.neighbour_scores import extrapolate
from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS, SCORES, ProxyLog
from detreduce.dataset.records import DetectionDataset
from detreduce.display.progress import progress
from detreduce.errors import InputError, MissingFileError
from detreduce.features.extracted import Extracted
from detreduce.features.pixels.running import Running
from detreduce.features.proxy.dynamics import (
    DETECTED_CONFIDENCE,
    DETECTED_IOU,
    check_classes,
    dynamics_block,
    needs_neighbours,
    unseen,
)
from detreduce.features.proxy.gradients import gradient_block
from detreduce.features.proxy.head_gradients import GradientOptions
from detreduce.features.table import PROXY_BLOCKS, scaled_blocks
from detreduce.images.decode import why_unreadable
from detreduce.machine.hashes import file_hash
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.ultralytics_bridge.tensor_weights import SUFFIX

NEIGHBOURS = 10
"""An image that is missing from the proxy log gets the average scores of this number of nearest images."""
_FACTS = ("model", "epochs", "imgsz", "seed", "arguments", "energy", "weights_sha256", "device", "versions", "data")


@dataclass
class ProxyBlocks:
    """The blocks that one proxy training provides for one dataset.

    Attributes
    ----------
    names
        Names of the requested blocks, from `PROXY_BLOCKS`.
    path
        The file of the proxy log. The weights are in the same folder.
    log
        The content of the proxy log.
    dataset
        The dataset whose images the blocks describe.
    start
        The model from which the proxy training started. It is needed only if the proxy's weights are stored as tensors,
        without code. Otherwise it is None.
    dynamics
        The result of `dynamics_block`, or None if this block is not requested.
    failures
        Why images that are missing from the log cannot be read, keyed by the row of the image. If another block reads
        the images, that other block records the reasons, and `failures` is empty.
    """

    names: tuple[str, ...]
    path: Path
    log: ProxyLog
    dataset: DetectionDataset
    start: str | None = None
    dynamics: npt.NDArray[np.float32] | None = None
    failures: dict[int, str] = field(default_factory=dict)

    @property
    def weights(self) -> Path:
        """The file with the proxy's weights after the last epoch, next to the log."""
        return self.path.with_suffix(".pt" if self.start is None else SUFFIX)

    def add_to(self, extracted: Extracted, alike: Sequence[str], folder: Path, running: Running) -> None:
        """Add the blocks, their provenance and their failures to `extracted`.

        An image that has boxes but is missing from the log gets the scores of the images that are nearest to it. The
        blocks in `alike` define which images are near.
        """
        extracted.provenance["proxy"] = self._training()
        if "gradients" in self.names:
            imgsz = self.log.facts.get("imgsz")
            size = int(max(imgsz) if isinstance(imgsz, list) else imgsz or GradientOptions.imgsz)
            options = GradientOptions(size, running=running, start=self.start)
            made = gradient_block(self.dataset, self.weights, folder, options)
            extracted.blocks["gradients"] = made.vectors
            extracted.provenance |= made.provenance
            extracted.failures = {**made.failures, **extracted.failures}
        extracted.failures = {**self.failures, **extracted.failures}
        if self.dynamics is None:
            return
        extracted.blocks["dynamics"], extracted.provenance["dynamics"] = self.dynamics, self._dynamics_provenance()
        rows = extracted.readable_rows(len(self.dataset))
        if unknown := int(np.isnan(self.dynamics[rows, 0]).sum()):
            blocks, _ = extracted.take(rows)
            X = scaled_blocks({name: blocks[name] for name in alike}, len(rows))
            extracted.blocks["dynamics"] = fill_missing(self.dynamics, X, rows)
            extracted.provenance["dynamics"] |= {"extrapolated": unknown, "neighbours": NEIGHBOURS, "by": list(alike)}

    def _dynamics_provenance(self) -> dict[str, Any]:
        return {
            "columns": list(DYNAMICS_COLUMNS),
            "detected": {"iou": DETECTED_IOU, "confidence": DETECTED_CONFIDENCE},
            "epochs": self.log.epochs,
            "known": len(self.dataset) - len(unseen(self.log, self.dataset)),
        }

    def _training(self) -> dict[str, Any]:
        """Return the facts about the proxy training that the log contains, and the hash of the log."""
        sha256 = file_hash(self.path)
        return {"path": str(self.path), "sha256": sha256, **{name: self.log.facts.get(name) for name in _FACTS}}


def open_proxy(
    names: Collection[str], proxy: str | Path | None, dataset: DetectionDataset, start: str | None = None
) -> ProxyBlocks | None:
    """Open and check the proxy log for the requested blocks. Return None if no requested block comes from a proxy
    training.

    Parameters
    ----------
    names
        Names of all requested blocks.
    proxy
        The path of the log, or None.
    dataset
        The dataset whose images the blocks describe.
    start
        The model from which the proxy training started. Pass it if the weights next to the log are stored as tensors
        only, without code.

    Raises
    ------
    InputError
        A block needs a log but `proxy` is None, or `proxy` is given but no block needs it. The log and the dataset
        differ in images, labels or classes. The weights next to the log are not the weights that the log names. Images
        are missing from the log, and no requested block can show which images are similar to them.
    MissingFileError
        The log does not exist, or `gradients` is requested and the proxy's weights do not exist.
    """
    needing = tuple(name for name in names if name in PROXY_BLOCKS)
    if proxy is None:
        if needing:
            raise InputError(
                f"The block {needing[0]!r} needs the log of a proxy training. Pass the log as proxy=. "
                "`detreduce proxy` and detreduce.training.proxy.log_proxy_training make such a log."
            )
        return None
    if not needing:
        known = " and ".join(PROXY_BLOCKS)
        raise InputError(f"proxy={str(proxy)!r} is used only by the blocks {known}. Add one of these blocks.")
    path = Path(proxy).expanduser()
    opened = ProxyBlocks(needing, path, ProxyLog.load(path), dataset, start)
    if "gradients" in needing and not is_regular(opened.weights):
        raise MissingFileError(
            f"{opened.weights} does not exist. The block 'gradients' needs the proxy's weights next to the log."
        )
    check_classes(opened.log, dataset)
    if "gradients" in needing:
        _check_weights(opened)
    if "dynamics" in needing:
        opened.dynamics = dynamics_block(opened.log, dataset)
        if set(names) <= set(PROXY_BLOCKS):
            opened.failures = _explain_unreadable(opened)
    return opened


def _check_weights(opened: ProxyBlocks) -> None:
    """Raise InputError if the weights next to the log are not the weights that the log names."""
    sha256 = file_hash(opened.weights)
    if opened.log.facts.get("weights_sha256", sha256) != sha256:
        raise InputError(
            f"{opened.weights} and {opened.path} come from different proxy trainings. "
            "Use the log and the weights of one training."
        )


def _explain_unreadable(opened: ProxyBlocks) -> dict[int, str]:
    """Return why images that are missing from the log cannot be read, keyed by the row of the image.

    Raise InputError if a missing image can be read and has boxes. Such an image would need the scores of similar
    images, but no requested block measures similarity.
    """
    lacking = unseen(opened.log, opened.dataset)
    if needs_neighbours(opened.log, opened.dataset):
        raise InputError(
            f"{opened.path}: the proxy was trained on {len(opened.dataset) - len(lacking)} of the "
            f"{len(opened.dataset)} images of the dataset. The other images get the scores of similar images. "
            'Add a block that measures similarity, for example blocks=("image", "dynamics") (--blocks image).'
        )
    reasons = {row: why_unreadable(opened.dataset[row].path) for row in lacking}
    return {row: reason for row, reason in reasons.items() if reason}


def fill_missing(
    block: npt.NDArray[np.float32], X: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Fill in the missing rows (NaN) of a block `dynamics` from the nearest images that have boxes and scores.

    A missing mean or maximum is replaced by the average over the nearest images (see `extrapolate`). A missing sum is
    replaced by the mean that was filled in, times the number of boxes in the image.

    Parameters
    ----------
    block
        (n, 13): the block `dynamics`, with the columns `DYNAMICS_COLUMNS`.
    X
        (r, d): the features that define which images are near.
    rows
        (r,): for each row of X, the row of the same image in the block. All other rows of the block stay unchanged.
    """
    filled = block.copy()
    boxes = block[rows, DYNAMICS_COLUMNS.index("boxes")]
    missing = np.isnan(block[rows, 0])
    # leave out images without boxes, because their score of 0 is not the score of a box
    useful = (boxes > 0) | missing
    if missing[useful].all():
        useful[:] = True
    with progress("Scores of images that are not in the proxy log", int(missing.sum()), "images") as advance:
        means = extrapolate(block[rows[useful]], X[useful], NEIGHBOURS, advance)
    means[:, DYNAMICS_COLUMNS.index("boxes")] = boxes[useful]
    for score in SCORES:
        total, mean = (DYNAMICS_COLUMNS.index(f"{score}_{over}") for over in ("sum", "mean"))
        means[:, total] = means[:, mean] * boxes[useful]
    filled[rows[missing]] = means[missing[useful]]
    return filled
