"""The result of a reduction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detreduce.dataset.health.problem_counts import ProblemCounts
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.write import SubsetReport
from detreduce.representativeness import Representativeness
from detreduce.selection.record import Selection


@dataclass(frozen=True)
class ReductionResult:
    """The result of a reduction.

    Attributes
    ----------
    selection
        The chosen images, with the measures of how well they represent the full set. ``selection.json`` in the output
        folder has the same content.
    dataset
        The smaller dataset, loaded from the output folder.
    representativeness
        How well the chosen images represent the full set.
    report
        The number of images and boxes of each class, in the full set and in the subset, and the licences of the kept
        images.
    output
        The folder with the smaller dataset.
    problems
        Two counts: the problems in the original dataset, and the kept images that ultralytics leaves out of a training.
    reason
        Why `auto` used this method. Empty if the request named the method.
    page
        Path of the page with pictures, ``selection.html`` in the output folder. None if no page was requested.
    groups
        Two counts: the groups (for example videos) with at least one kept image, and all groups. None if the request
        does not define groups.
    leaks
        A warning if some kept images are also in val or test. A training refuses such a subset. Empty if there are no
        such images.
    """

    selection: Selection
    dataset: DetectionDataset
    representativeness: Representativeness
    report: SubsetReport
    output: Path
    problems: ProblemCounts
    reason: str = ""
    page: Path | None = None
    groups: tuple[int, int] | None = None
    leaks: str = ""

    def __repr__(self) -> str:
        return f"ReductionResult({self.selection!r}, {str(self.output)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a dict that JSON can store: the paths, the method, the report, the measures and the
        problems.
        """
        written = {"data": str(self.dataset.source.path), "selection": str(self.output / "selection.json")}
        if self.page is not None:
            written["page"] = str(self.page)
        chosen: dict[str, Any] = {"method": self.selection.method, "reason": self.reason}
        if self.groups is not None:
            chosen["groups"] = {"kept": self.groups[0], "full": self.groups[1]}
        measured = {"representativeness": self.representativeness.to_dict(), "problems": self.problems.to_dict()}
        return {**written, **chosen, **asdict(self.report), **measured}
