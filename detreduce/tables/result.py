"""The result of reducing a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.machine.json_values import json_value
from detreduce.reducers.engine.strata import Kind


@dataclass(frozen=True, slots=True)
class StratumCount:
    """The rows of one stratum, that is a class or a range of the target: how many there are, and how many are kept."""

    label: Any
    rows: int
    kept: int


@dataclass(frozen=True, slots=True)
class TableReduction:
    """A reduced table.

    Attributes
    ----------
    source, output
        The files.
    method, parameters, keep, seed
        How the rows were chosen.
    target
        The name of the column with the target, or None.
    strata_kind
        What the strata are: ``classes``, ``bins`` (ranges of a numeric target) or ``none``.
    strata
        The rows of each stratum.
    total
        The number of rows of the source.
    rows
        (k,) int64: the kept rows in ascending order. The first row below the header is row 0.
    epsilon
        The largest gap: each row that was left out differs from a kept row of its stratum by at most epsilon in every
        column. 1 is the range of a column of numbers. It is inf if a stratum has no kept row.
    number_columns, text_columns, ignored
        The names of the columns that were used as numbers, of those that were used as texts, and of those that were
        left out.
    """

    source: Path
    output: Path
    method: str
    parameters: dict[str, Any]
    keep: int | float
    seed: int
    target: str | None
    strata_kind: Kind
    strata: list[StratumCount]
    total: int
    rows: npt.NDArray[np.int64]
    epsilon: float
    number_columns: list[str]
    text_columns: list[str]
    ignored: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return all facts as values that JSON can store."""
        content = {name: getattr(self, name) for name in self.__slots__ if name != "strata"}
        content["strata"] = [asdict(one) for one in self.strata]
        return {**json_value(content), "kept": len(self.rows)}
