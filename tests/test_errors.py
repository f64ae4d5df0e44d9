from __future__ import annotations

import pytest

from detreduce.errors import nearest


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("mmss", ["srs", "mms"], "mms"),
        ("dmeo.yaml", ["demo.yaml", "paper.yaml"], "demo.yaml"),
        ("nothere.yaml", ["signature.yaml", "paper.yaml"], None),
        ("train.epcohs", ["train.epochs", "train.seeds"], "train.epochs"),
        ("trian.epochs", ["train.epochs", "proxy.epochs"], "train.epochs"),
        ("x", [], None),
        ("", ["mms"], None),
    ],
)
def test_the_nearest_name(word: str, known: list[str], hint: str | None) -> None:
    assert nearest(word, known) == (f" Did you mean {hint!r}?" if hint else "")


def test_a_name_that_looks_the_same_says_in_what_it_differs() -> None:
    assert "'Wh'" in (hint := nearest("wh", ["wH2", "TFLOPs", "Wh"])) and "case" in hint and "Unicode" not in hint
    assert r"'\xe9.jpg'" in (hint := nearest("e\u0301.jpg", ["e.jpg", "\xe9.jpg"])) and "Unicode form" in hint
