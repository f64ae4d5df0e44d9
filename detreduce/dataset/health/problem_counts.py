"""Count the problems of a dataset and the images that the trainer leaves out, for commands that do not list them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from detreduce.dataset.health.counts import all_problems
from detreduce.dataset.records import DetectionDataset, ImageRecord
from detreduce.dataset.suggested_command import inspect_command
from detreduce.machine.untrusted.stored_numbers import Count


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """The number of problems of a dataset, and the number of images that ultralytics leaves out of a training.

    Attributes
    ----------
    problems
        The number of problems in the files of all splits, as listed by `detreduce inspect`.
    refused
        The number of images that ultralytics leaves out because of their label files, out of `images`.
    images
        The number of images that were checked: the kept images of a selection, or all images of the train split.
    kept
        Whether only the kept images of a selection were checked.
    command
        The command that lists the problems.
    """

    problems: Count
    refused: Count
    images: Count
    kept: bool
    command: str

    @property
    def line(self) -> str:
        """The counts and the command in one line of text. Empty if there are no problems."""
        images = f"{self.images} {'kept images' if self.kept else 'images of the train split'}"
        said = [f"Problems in the data: {self.problems}."] * (self.problems > 0)
        said += [f"Ultralytics will leave out {self.refused} of the {images}."] * (self.refused > 0)
        return " ".join([*said, *[f"List the problems: {self.command}"] * (self.problems > 0)])

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and the command as values that JSON can store."""
        return asdict(self)


def count_problems(
    dataset: DetectionDataset, kept: Iterable[ImageRecord] | None = None, problems: int | None = None
) -> ProblemCounts:
    """Count the problems of a dataset, and the images that ultralytics leaves out. No image is opened.

    `kept` restricts the count of images to the given records. `problems` is the number of problems, if it is already
    known. Otherwise, the annotations of all splits are loaded to count them.
    """
    records = dataset.records if kept is None else tuple(kept)
    return ProblemCounts(
        problems=len(all_problems(dataset)) if problems is None else problems,
        refused=sum(not record.trainable for record in records),
        images=len(records),
        kept=kept is not None,
        command=inspect_command(dataset),
    )
