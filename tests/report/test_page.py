"""How names stand in the report's table."""

from __future__ import annotations

from detreduce.report.page import _breakable, _coded, _unbroken


def test_a_long_name_breaks_before_its_parameters() -> None:
    assert _breakable("herding(match=class_means)") == "herding(<wbr>match=<wbr>class_<wbr>means)"


def test_a_hostile_name_stays_text() -> None:
    assert _breakable('<b a="1">\u202e') == "&lt;b a=<wbr>&#34;1&#34;&gt;\\u202e"


def test_a_number_stays_with_its_spread() -> None:
    assert _unbroken("0.5 ± 0.1") == '0.5 <span class="whole">± 0.1</span>' and _unbroken("never") == "never"


def test_commands_in_a_sentence_are_code_and_nothing_else_is_markup() -> None:
    assert _coded("run `a <b>` & go") == "run <code>a &lt;b&gt;</code> &amp; go"
    assert "<" not in _unbroken("<i>\u202e")
