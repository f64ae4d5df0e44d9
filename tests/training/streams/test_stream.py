from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detreduce.errors import InputError, MissingFileError
from detreduce.training.streams.stream import KINDS, Stream


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "weights"])
def test_a_name_is_short_for_a_stream(kind: str) -> None:
    assert Stream.of(kind) == Stream.of({"by": kind}) == Stream(by=kind)  # type: ignore[arg-type]


def test_the_defaults_are_those_of_the_documentation() -> None:
    stream = Stream()
    assert (stream.by, stream.power, stream.times_classes, stream.start, stream.end) == (
        "uniform",
        1.0,
        False,
        0.25,
        0.6,
    )
    assert stream.identity() == {}
    assert Stream.of({"by": "class_uniform", "power": 0.5}).identity() == {"by": "class_uniform", "power": 0.5}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("class-uniform", "'class_uniform'"),
        ({"by": "clusters_balanced"}, "'cluster_balanced'"),
        ({"by": "class_uniform", "powr": 0.5}, "'power'"),
        ({"by": "class_uniform", "power": 0}, "power"),
        ({"by": "class_uniform", "power": 2}, "power"),
        ({"by": "uniform", "power": 0.5}, "power"),
        ({"by": "core_first", "times_classes": True}, "times_classes"),
        ({"by": "class_uniform", "threshold": 0.9}, "threshold"),
        ({"by": "cluster_balanced", "threshold": 0.1}, "threshold"),
        ({"by": "class_uniform", "start": 0.5}, "start"),
        ({"by": "core_first", "end": 1.5}, "end"),
        ({"by": "weights"}, "file"),
        ({"by": "uniform", "file": "weights.csv"}, "file"),
        (["uniform"], "Stream"),
    ],
)
def test_a_bad_stream_is_one_sentence_that_names_the_option(given: Any, named: str) -> None:
    with pytest.raises(InputError) as caught:
        Stream.of(given)
    message = str(caught.value)
    assert named in message
    assert "\n" not in message
    assert "pydantic" not in message


def test_the_identity_of_a_file_is_its_content(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("image,weight\n1.jpg,2\n")
    one, other = (Stream(by="weights", file=str(tmp_path / name)) for name in ("a.csv", "b.csv"))
    assert one.identity() == other.identity()
    (tmp_path / "b.csv").write_text("image,weight\n1.jpg,3\n")
    assert one.identity() != other.identity()
    with pytest.raises(MissingFileError):
        Stream(by="weights", file=str(tmp_path / "c.csv")).identity()
