"""Types of the numbers in the files of detreduce. A number outside the bounds shows that the file was edited."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

Int64 = Annotated[int, Ge(-(2**63)), Lt(2**63)]
Count = Annotated[int, Ge(0), Lt(2**63)]
Keep = Count | Annotated[float, Gt(0), Le(1)]
"""A number of images, or a fraction of them."""
