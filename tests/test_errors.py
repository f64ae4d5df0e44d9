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
        ("wh", ["TFLOPs", "Wh"], "Wh"),
        ("x", [], None),
        ("", ["mms"], None),
    ],
)
def test_the_nearest_name(word: str, known: list[str], hint: str | None) -> None:
    assert nearest(word, known) == (f" Did you mean {hint!r}?" if hint else "")
