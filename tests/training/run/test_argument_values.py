"""Any value of any training argument is accepted, or is one error, before the training starts."""

from __future__ import annotations

import math

import pytest
from edits import VALUES

from detreduce.errors import InputError
from detreduce.training.run.arguments import RESERVED, check_arguments

ODD = (*VALUES, -math.inf, 10**400, 1e308, (1,), "inf", "\0")


def test_any_value_of_any_argument() -> None:
    from ultralytics.cfg import DEFAULT_CFG_DICT

    for name in DEFAULT_CFG_DICT:
        for value in ODD:
            try:
                checked = check_arguments({name: value}, RESERVED)
            except InputError:
                continue
            assert not (isinstance(value, float) and not math.isfinite(value)), (name, checked)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_batch_without_bounds_is_named(value: float) -> None:
    with pytest.raises(InputError, match="batch"):
        check_arguments({"batch": value}, RESERVED)
