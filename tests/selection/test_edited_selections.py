"""An edited or damaged selection is read, or gives one error that names the file and the field."""

from __future__ import annotations

import contextlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edits import edits
from PIL import Image

import detreduce as dr
from detreduce.cli.show.explanation import show_explanation
from detreduce.errors import DetreduceError, InputError
from detreduce.exports import export_selection
from detreduce.pages.selection.duplicate_pairs import duplicate_searches
from detreduce.selection.explanation import explain, find_features
from detreduce.selection.record import Selection
from detreduce.selection.saved.dataset import check_selection


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dr.DetectionDataset:
    folder = tmp_path_factory.mktemp("set")
    rng = np.random.default_rng(0)
    for row in range(8):
        for name in ("images", "labels"):
            (folder / name).mkdir(exist_ok=True)
        picture = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"images/v{row // 4}_{row}.png")
        (folder / f"labels/v{row // 4}_{row}.txt").write_text(f"{row % 2} 0.5 0.5 0.4 0.4\n")
    (folder / "images/v1_7.png").write_bytes((folder / "images/v0_0.png").read_bytes())
    (folder / "data.yaml").write_text("train: images\nnames: [ant, bee]\n")
    return dr.load_dataset(folder / "data.yaml")


@pytest.fixture(scope="module")
def content(data: dr.DetectionDataset) -> dict[str, Any]:
    """A selection with every kind of step."""
    options = {"must_keep": [data[1].id], "initial": [data[5].id], "class_floor": 1, "drop_duplicates": True}
    groups = {"groups": r"(v\d)_.*", "max_per_group": 3}
    made = dr.select(data, "class_coverage", keep=5, **options, **groups)
    read: dict[str, Any] = json.loads(made.to_json())
    assert [step["step"] for step in read["steps"]] == [
        "drop_duplicates",
        "must_keep",
        "initial",
        "class_floor",
        "method",
    ]
    return read


def use(file: Path, data: dr.DetectionDataset, folder: Path, number: int) -> None:
    """Everything that a selection's file is used for.

    An edit has twenty numbers for each place, one after another. Explanations, which start a process, are made of
    every third number; of every ninth also what writes, draws or reads images. So each place has both.
    """
    made = Selection.load(file)
    repr(made), made._repr_html_(), made.to_json(), len(made)
    uses = [
        lambda: made.plot(),
        lambda: made.to_frame(data),
        lambda: made.prefix(3),
        lambda: show_explanation(explain(made, data[1].id), made),
        lambda: show_explanation(explain(made, data[7].id, dataset=data), made),
        lambda: find_features(made, data, None),
        lambda: duplicate_searches(made, {}, check_selection(data, made) and data),
        lambda: dr.select(data, "srs", keep=5, initial=made),
        lambda: dr.write_subset(data, made, folder / "subset", link="list"),
        lambda: export_selection(data, made, folder / "out.csv", form="csv"),
        lambda: export_selection(data, made, folder / "fiftyone", form="fiftyone", link="symlink"),
    ]
    for one in uses if number % 9 == 0 else uses[1:4] if number % 3 == 0 else uses[1:3]:
        with contextlib.suppress(DetreduceError):
            one()


@pytest.mark.parametrize("part", range(2))
def test_no_edit_ends_in_another_error(
    data: dr.DetectionDataset, content: dict[str, Any], tmp_path: Path, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib.pyplot as plt

    file = tmp_path / "selection.json"
    failed = []
    for number, (what, edited) in enumerate(edits(content)):
        if number % 2 != part:
            continue
        file.write_text(json.dumps(edited))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(file, data, tmp_path / str(number), number)
        except InputError as error:
            if "selection.json" not in str(error):
                failed.append(f"{what}: the file is not named: {error}")
        except Exception as error:
            failed.append(f"{what}: {type(error).__name__}: {error}")
        finally:
            plt.close("all")
    assert not failed, f"{len(failed)}\n" + "\n".join(failed[:40])


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("image_ids", 3, "image_ids"),
        ("indices", [0, 1], "indices"),
        ("scores", ["x"], r"scores\.0"),
        ("categories", {"full": {"a": 1}, "kept": {}}, "categories"),
        ("keep", True, "keep"),
        ("seed", 2**70, "seed"),
        ("provenance", {"duplicates": {"pairs": [{}]}}, r"provenance\.duplicates\.pairs\.0\.copy"),
        ("method", None, "method"),
    ],
)
def test_the_field_is_named(content: dict[str, Any], tmp_path: Path, field: str, value: Any, said: str) -> None:
    file = tmp_path / "selection.json"
    file.write_text(json.dumps({**content, field: value}))
    with pytest.raises(InputError, match=f"selection.json is not a selection.*{said}"):
        Selection.load(file)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00", "[]", '{"detreduce_selection": 2}', '{"a": NaN}'])
def test_what_is_no_selection_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "selection.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"selection\.json"):
        Selection.load(file)


def test_another_version_may_add_fields(content: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "selection.json"
    file.write_text(json.dumps({**content, "more": {"x": [1]}, "steps": [{**content["steps"][0], "more": 1}]}))
    assert Selection.load(file).image_ids == tuple(content["image_ids"])
