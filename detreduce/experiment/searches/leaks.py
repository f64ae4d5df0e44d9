"""Images of val or test that are also in train: the quick search before a run, and the warning above all results.

The ledger stores the result of the quick search in ``leaks.json``. The search by pixels, which also finds
near-duplicates, is stored in ``leakage.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detreduce.dataset.health.leaks import TRAIN, Leaks
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.searches.dropped_leaks import read_dropped
from detreduce.experiment.searches.leakage import read_leakage

LEAKS_FILE = "leaks.json"
PAIRS_KEPT = 50


@dataclass(frozen=True, slots=True)
class SharedImages:
    """The number of images that a split shares with an earlier split. The order of splits is train, val, test.

    Attributes
    ----------
    split
        The later split: val or test.
    exact
        Number of images of `split` for which the earlier split has the same file, or an image with equal pixels.
    near
        Number of images of `split` for which the earlier split has only a near-duplicate.
    of
        Number of all images in `split`.
    earlier
        The earlier split: train or val.
    whole
        True if both splits have the same images.
    """

    split: str
    exact: int
    near: int
    of: int
    earlier: str = TRAIN
    whole: bool = False

    @property
    def count(self) -> int:
        """Number of images of `split` that are also in the earlier split, including near-duplicates."""
        return self.exact + self.near

    @property
    def sentence(self) -> str:
        """A sentence with the numbers of shared images, without a full stop."""
        kinds = [f"{self.exact} equal"] * bool(self.exact) + [f"{self.near} similar"] * bool(self.near)
        verb = "is" if self.count == 1 else "are"
        words = f"{verb} also in {self.earlier} ({', '.join(kinds)})"
        return f"{self.count} of the {self.of} images of {self.split} {words}"


@dataclass(frozen=True, slots=True)
class LeakWarning:
    """The warning that is shown above all results if the data has leaks.

    Attributes
    ----------
    shared
        One entry for each split that shares images with train. There is always at least one entry.
    dropped
        Whether ``reduce.drop_leaked`` is set. In this case, its search did not find these images.
    """

    shared: tuple[SharedImages, ...]
    dropped: bool = False

    @property
    def title(self) -> str:
        """The warning in a few words."""
        return "The data has leaks, so the mAP is too high"

    @property
    def text(self) -> str:
        """Sentences with the numbers of leaks, and with advice."""
        found = "; ".join(one.sentence for one in self.shared)
        if any(one.whole for one in self.shared):
            return f"{found}. Hold out a part of train (`detreduce split`), and run the experiment on the new dataset."
        if self.dropped:
            return f"{found}. `reduce.drop_leaked` did not find them. Remove these images from train by hand."
        return f"{found}. Run again with `reduce.drop_leaked=true`, which leaves these images out of all trainings."

    @property
    def line(self) -> str:
        """The whole warning as one line of text."""
        return f"{self.title}: {self.text}"

    def to_dict(self) -> dict[str, Any]:
        """Return the warning as a dict that can be written as JSON."""
        shared = {one.split: {"exact": one.exact, "near": one.near, "of": one.of} for one in self.shared}
        return {"warning": self.line, "shared_with_train": shared}


def leak_warning(leakage: Mapping[str, Any], leaks: Mapping[str, Any], *, dropped: bool = False) -> LeakWarning | None:
    """Return the warning for a ledger, or None if no image of val or test is known to be in train.

    `leakage` and `leaks` are the same as in `shared_images`. `dropped` is True if ``reduce.drop_leaked`` is set.
    """
    shared = tuple(one for one in shared_images(leakage, leaks) if one.earlier == TRAIN)
    return LeakWarning(shared, dropped) if shared else None


def shared_images(leakage: Mapping[str, Any], leaks: Mapping[str, Any]) -> tuple[SharedImages, ...]:
    """Return one entry for each pair of splits that share images.

    Parameters
    ----------
    leakage
        The result of the search by pixels, as `read_leakage` returns it. Empty if there was no search.
    leaks
        The result of the quick search, as `read_leaks` returns it. Empty if there was no search. Images that only the
        quick search found count too, for example if the splits are too large for the search by pixels.
    """
    shared = []
    pixels, quick = _counts(leakage), _counts(leaks)
    for pair in dict.fromkeys((*pixels, *quick)):
        earlier, _, later = pair.partition(" / ")
        slow, fast = pixels.get(pair, {}), quick.get(pair, {})
        # unlike the search by pixels, the quick search also finds files that cannot be decoded
        exact = max(slow.get("exact", 0), fast.get("leaked", 0))
        near = max(0, slow.get("exact", 0) + slow.get("near", 0) - exact)
        if exact + near:
            whole = bool(fast.get("whole"))
            shared.append(SharedImages(later, exact, near, {**slow, **fast}.get("of", 0), earlier, whole))
    return tuple(shared)


def _counts(found: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the counts of a search for each pair of splits. Invalid entries, for example after an edit, are left
    out.
    """
    counts = found.get("counts")
    if not isinstance(counts, Mapping):
        return {}
    return {
        str(pair): {name: value for name, value in row.items() if isinstance(value, int)}
        for pair, row in counts.items()
        if isinstance(row, Mapping)
    }


def keep_leaks(ledger: Ledger, leaks: Leaks, data_identity: str) -> None:
    """Write the result of the search for equal files to the ledger, with the first pairs of equal images."""
    ledger.write_json(LEAKS_FILE, {"data": data_identity, **leaks.to_dict(PAIRS_KEPT)})


def read_leaks(ledger: Ledger) -> dict[str, Any]:
    """Return the content of ``leaks.json`` in the ledger, or an empty dict if the file cannot be read."""
    return ledger.read_json(LEAKS_FILE)


def ledger_warning(ledger: Ledger) -> LeakWarning | None:
    """Return the warning to show above the results of a ledger, or None if there are no leaks."""
    return leak_warning(read_leakage(ledger), read_leaks(ledger), dropped=bool(read_dropped(ledger)))
