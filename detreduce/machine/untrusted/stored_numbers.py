"""Types of numbers in the files of detreduce. A number outside these bounds shows that somebody edited the file."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

Int64 = Annotated[int, Ge(-(2**63)), Lt(2**63)]
Count = Annotated[int, Ge(0), Lt(2**63)]
Keep = Count | Annotated[float, Gt(0), Le(1)]
"""A number of images, or the fraction of the images."""
