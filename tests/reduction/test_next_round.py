"""No image is offered twice in rounds, and earlier images change what is chosen."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import detreduce as dr
from detreduce.errors import DetreduceWarning, InputError
from detreduce.selection.saved.dataset import check_selection

IMAGES = 16


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen different images, and one image saved again at a lower quality."""
    folder = tmp_path_factory.mktemp("rounds") / "pool"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        small.resize((96, 72)).save(folder / f"{number:02}.png")
    Image.open(folder / "03.png").save(folder / "again.jpg", quality=70)
    return folder


def label(images: list[Path], folder: Path, *, resave: bool = False) -> Path:
    """Return a YOLO dataset of images with other names, as a labelling tool may write it."""
    for number, image in enumerate(images):
        for place in ("images", "labels"):
            (folder / place).mkdir(parents=True, exist_ok=True)
        target = folder / "images" / f"task-{number}.png"
        if resave:
            Image.open(image).resize((80, 60)).save(target.with_suffix(".jpg"), quality=90)
        else:
            target.write_bytes(image.read_bytes())
        (folder / "labels" / f"task-{number}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (folder / "data.yaml").write_text("train: images\nnames: [cat]\n")
    return folder / "data.yaml"


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    counts=st.lists(st.integers(1, 4), min_size=2, max_size=3),
    ways=st.lists(st.sampled_from(["output", "selection", "labelled", "resaved"]), min_size=3, max_size=3),
    seed=st.integers(0, 3),
)
def test_no_image_is_offered_twice(
    pool: Path, tmp_path_factory: pytest.TempPathFactory, counts: list[int], ways: list[str], seed: int
) -> None:
    root = tmp_path_factory.mktemp("run")
    first = dr.reduce(pool, root / "round0", method="srs", keep=2, seed=seed, page=False, drop_duplicates=True)
    offered = [{image.name for image in first.dataset}]
    outputs = [root / "round0"]
    for number, count in enumerate(counts, 1):
        after = []
        for place, output in enumerate(outputs):
            way = ways[place % len(ways)]
            images = [output / name for name in sorted(offered[place])]
            if way == "selection":
                after.append(output / "selection.json")
            elif way == "output":
                after.append(output)
            else:
                after.append(label(images, root / f"labels{number}-{place}", resave=way == "resaved"))
        result = dr.next_round(
            pool, root / f"round{number}", after=after, count=count, method="srs", seed=seed, page=False
        )
        names = {image.name for image in result.dataset}
        assert len(names) == count
        assert not names & set.union(*offered)
        # the two copies of one picture are never both offered
        assert len({"03.png", "again.jpg"} & set.union(names, *offered)) <= 1
        assert result.remaining == IMAGES - sum(map(len, offered)) - count
        offered.append(names)
        outputs.append(root / f"round{number}")


def test_a_selection_of_a_round_is_a_selection_of_its_pool(pool: Path, tmp_path: Path) -> None:
    labelled = label([pool / "00.png", pool / "03.png"], tmp_path / "labelled", resave=True)
    said: list[str] = []
    result = dr.next_round(pool, tmp_path / "round2", after=[labelled], count=4, cache=tmp_path / "c", say=said.append)
    selection = dr.Selection.load(tmp_path / "round2/selection.json")
    dataset = dr.load_dataset(pool)
    check_selection(dataset, selection)
    assert list(selection.image_ids) == list(result.selection.image_ids)
    assert selection.method == "facility" and len(selection) == 4
    assert (result.known, result.similar, result.repeated) == (0, 3, 0)
    assert not {"00.png", "03.png", "again.jpg"} & set(selection.image_ids)
    for image in (selection.image_ids[0], "03.png"):
        assert dr.explain(selection, image)
    assert any("Similar to images of earlier rounds: 3" in line for line in said)
    listed = (tmp_path / "round2/train.txt").read_text().split()
    assert listed == [f"./{image}" for image in selection.image_ids]
    assert "selection.html" in {file.name for file in (tmp_path / "round2").iterdir()}


def test_earlier_images_change_the_choice(tmp_path: Path) -> None:
    """Two clusters: if a round has one of them, the next image comes from the other."""
    pool = tmp_path / "pool"
    pool.mkdir()
    vectors = np.array([[10.0, 0.1 * row] if row < 6 else [-10.0, 0.1 * row] for row in range(9)], np.float32)
    rng = np.random.default_rng(1)
    for row in range(len(vectors)):
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((96, 72)).save(pool / f"{row}.png")
    np.save(tmp_path / "vectors.npy", vectors)
    chosen = {}
    for name in ("0", "8"):
        (tmp_path / f"list{name}.yaml").write_text(f"format: images\npath: {pool}\ntrain: list{name}.txt\n")
        (pool / f"list{name}.txt").write_text(f"./{name}.png\n")
        result = dr.next_round(
            pool,
            tmp_path / f"out{name}",
            after=[tmp_path / f"list{name}.yaml"],
            count=1,
            method="facility",
            backbone=f"file:{tmp_path / 'vectors.npy'}",
            page=False,
        )
        chosen[name] = int(Path(str(result.selection.image_ids[0])).stem)
    assert chosen["0"] >= 6 and chosen["8"] < 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count=0 is not a number of images"),
        ({"count": True}, "count=True is not a number"),
        ({"count": 99}, "can still be offered"),
        ({"after": []}, "Name the rounds so far"),
        ({"after": ["none"]}, "does not exist"),
        ({"method": "herding"}, "needs"),
        ({"method": "facilty"}, "Did you mean 'facility'"),
        ({"similarity": 2.0}, "is not a number from"),
        ({"start": "center"}, "Name the method too"),
        ({"weights": "none.pt"}, "none.pt"),
        ({"weights": "a.pt", "backbone": "yolo:b.pt"}, "Pass one of them"),
        ({"every": "1s"}, "for videos only"),
    ],
)
def test_wrong_input_is_one_sentence_and_writes_nothing(
    pool: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    labelled = label([pool / "00.png"], tmp_path / "labelled")
    with pytest.raises(InputError, match=message), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dr.next_round(pool, tmp_path / "out", **{"after": [labelled], "count": 1, **options})  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_an_output_as_a_round_has_no_problems(pool: Path, tmp_path: Path) -> None:
    dr.reduce(pool, tmp_path / "round1", method="first", keep=2, page=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DetreduceWarning)
        after = [tmp_path / "round1"]
        for name in ("round2", "round3"):
            dr.next_round(pool, tmp_path / name, after=after, count=2, method="srs", page=False)
            after.append(tmp_path / name)


def test_an_output_never_lands_in_a_round(pool: Path, tmp_path: Path) -> None:
    labelled = label([pool / "00.png"], tmp_path / "labelled")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="overlap"):
        dr.next_round(pool, tmp_path / "labelled/images/new", after=[labelled], count=1, method="srs")
    assert sorted(tmp_path.rglob("*")) == before
    dr.next_round(pool, tmp_path / "out", after=[labelled], count=1, method="srs", page=False)
    with pytest.raises(InputError, match="exists and is not empty"):
        dr.next_round(pool, tmp_path / "out", after=[labelled], count=1, method="srs")
    dr.next_round(pool, tmp_path / "out", after=[labelled], count=2, method="srs", overwrite=True)
    assert json.loads((tmp_path / "out/selection.json").read_text())["images"] == 2


def test_lost_images_of_rounds_and_problems_of_the_pool_are_told(pool: Path, tmp_path: Path) -> None:
    size = {"width": 96, "height": 72}
    content = {"images": [{"id": 1, "file_name": "a.png", **size}, {"id": 2, "file_name": "gone.png", **size}]}
    (tmp_path / "round").mkdir()
    (tmp_path / "round/instances.json").write_text(json.dumps({**content, "annotations": [], "categories": []}))
    (tmp_path / "round/a.png").write_bytes((pool / "00.png").read_bytes())
    (tmp_path / "list.yaml").write_text(f"format: images\npath: {tmp_path}\ntrain: list.txt\n")
    (tmp_path / "list.txt").write_text("".join(f"{pool}/{name}.png\n" for name in ("00", "01", "02", "never")))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        after = [tmp_path / "round/instances.json"]
        dr.next_round(tmp_path / "list.yaml", tmp_path / "out", after=after, count=1, method="srs", page=False)
    said = [str(one.message) for one in caught if "of earlier rounds" in str(one.message)]
    assert len(said) == 1 and "gone.png" in said[0] and "a.png" not in said[0]
    assert any("of the pool" in str(one.message) and "never.png" in str(one.message) for one in caught)
