"""Means over corruptions and severities, and the remaining share of the clean mAP."""

from __future__ import annotations

from typing import Any

import pytest

from detreduce.training.robustness_columns import robustness_columns


def evaluated(corruption: str, severity: int, value: float) -> dict[str, Any]:
    return {
        "corruption": corruption,
        "severity": severity,
        "evaluation": {"mAP50": 2 * value, "mAP50_95": value},
    }


def test_each_corruption_counts_once_whatever_its_severities():
    parts = [evaluated("noise", 1, 0.3), evaluated("noise", 3, 0.1), evaluated("jpeg", 1, 0.4)]
    found = robustness_columns({"mAP50": 0.8, "mAP50_95": 0.5}, parts)
    assert found == pytest.approx(
        {
            "mAP50_noise": 0.4, "mAP50_jpeg": 0.8, "mAP50_corrupted": 0.6,
            "mAP50_95_noise": 0.2, "mAP50_95_jpeg": 0.4, "mAP50_95_corrupted": 0.3, "rPC": 0.6,
        }
    )  # fmt: skip


def test_without_corruptions_there_are_no_columns_and_nothing_is_divided_by_zero():
    assert robustness_columns({"mAP50": 0.8, "mAP50_95": 0.5}, []) == {} == robustness_columns(None, [])
    assert robustness_columns({"mAP50": 0.0, "mAP50_95": 0.0}, [evaluated("blur", 1, 0.0)])["rPC"] is None
