"""How names stand in the report's table."""

from __future__ import annotations

from detreduce.report.page import _breakable


def test_a_long_name_breaks_before_its_parameters() -> None:
    assert _breakable("herding(match=class_means)") == "herding(<wbr>match=<wbr>class_<wbr>means)"


def test_a_hostile_name_stays_text() -> None:
    assert _breakable('<b a="1">\u202e') == "&lt;b a=<wbr>&#34;1&#34;&gt;\\u202e"
