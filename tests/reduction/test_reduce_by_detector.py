"""Images chosen by the boxes of a detector: by `reduce`, `next_round` and `select`. Labels stay as they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from made_detector import NAMES, make_detector
from made_videos import make_video

import detreduce as dr
from detreduce.dataset.demo import make_demo
from detreduce.errors import InputError
from detreduce.features.detector import predict
from detreduce.features.detector.network import DetectorNetwork
from detreduce.selection.record import Selection


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> dr.Detector:
    return dr.Detector(make_detector(tmp_path_factory.mktemp("detector") / "made.pt"), imgsz=64)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "data"
    make_demo(folder, scenes=20, size=64)
    return folder / "data.yaml"


@pytest.fixture(scope="module")
def pool(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    for record in dr.load_dataset(labelled):
        shutil.copy(record.path, folder)
    return folder


def label_files(folder: Path) -> list[Path]:
    """The text files of an output, without its list of images."""
    found = (file for file in folder.rglob("*") if file.suffix in (".txt", ".xml", ".json") and file.is_file())
    return sorted(file for file in found if file != folder / "train.txt")


@pytest.mark.parametrize("method", ["herding", "csod", "class_coverage", "uncertainty", "disagreement", "facility"])
def test_each_kind_of_method_chooses_by_predicted_boxes(
    pool: Path, detector: dr.Detector, tmp_path: Path, method: str
) -> None:
    result = dr.reduce(pool, tmp_path / "out", method, keep=5, detector=detector)
    assert len(result.selection) == 5
    facts = result.selection.provenance["detector"]
    predicted = dr.predict_boxes(dr.load_dataset(pool), detector)
    assert (facts["boxes"], facts["images"]) == (len(predicted.box_rows), len(predicted))
    assert facts["classes"] == list(NAMES) and facts["detector"] == "made.pt" and len(facts["weights_sha256"]) == 64
    assert (facts["confidence"], facts["imgsz"], facts["overlap"]) == (0.25, 64, 0.7)
    # nothing that was predicted is written: the only JSON is the selection
    assert not result.dataset.labelled
    assert [file.name for file in label_files(tmp_path / "out")] == ["selection.json"]
    assert len((tmp_path / "out" / "train.txt").read_text().splitlines()) == 5
    assert not (tmp_path / "out" / "labels").exists()
    assert Selection.load(tmp_path / "out" / "selection.json").provenance["detector"] == facts


def test_the_choice_is_that_of_the_method_on_the_predicted_boxes(
    pool: Path, detector: dr.Detector, tmp_path: Path
) -> None:
    predicted = dr.predict_boxes(dr.load_dataset(pool), detector)
    for method in ("class_coverage", "herding"):
        table = dr.extract_features(predicted, blocks=("objects",))
        alone = dr.select(table, method, 6)
        whole = dr.reduce(pool, tmp_path / method, method, keep=6, detector=detector)
        assert whole.selection.image_ids == alone.image_ids
    assert dr.select(dr.load_dataset(pool), "class_coverage", 6, detector=detector).image_ids == (
        dr.select(predicted, "class_coverage", 6).image_ids
    )


def test_uncertainty_takes_the_images_with_the_largest_scores(pool: Path, detector: dr.Detector) -> None:
    dataset = dr.load_dataset(pool)
    predicted = dr.predict_boxes(dataset, detector)
    scores = dr.extract_features(predicted, blocks=("uncertainty",)).blocks["uncertainty"][:, 0]
    chosen = dr.select(dataset, "uncertainty", 4, categories=None, detector=detector)
    assert chosen.indices.tolist() == np.argsort(-scores, kind="stable")[:4].tolist()


def test_labels_are_not_used_to_choose_and_are_written_as_they_are(
    labelled: Path, pool: Path, detector: dr.Detector, tmp_path: Path
) -> None:
    said: list[str] = []
    ours = dr.reduce(labelled, tmp_path / "ours", "class_coverage", keep=6, detector=detector, say=said.append)
    theirs = dr.reduce(pool, tmp_path / "theirs", "class_coverage", keep=6, detector=detector)
    names = [[Path(str(image)).name for image in one.selection.image_ids] for one in (ours, theirs)]
    assert names[0] == names[1]
    assert any("not used" in line for line in said)
    whole = dr.load_dataset(labelled)
    for record in ours.dataset:
        original = next(one for one in whole if one.path.name == record.path.name)
        np.testing.assert_array_equal(record.boxes, original.boxes)
        np.testing.assert_array_equal(record.class_ids, original.class_ids)
    assert ours.dataset.class_names == whole.class_names


def test_every_choice_of_the_composition_works_with_predicted_boxes(
    pool: Path, detector: dr.Detector, tmp_path: Path
) -> None:
    dataset = dr.load_dataset(pool)
    groups = [number % 3 for number in range(len(dataset))]
    result = dr.reduce(
        dataset, tmp_path / "out", "uncertainty", keep=6, groups=groups, max_per_group=2, class_floor={"tree": 1},
        drop_duplicates=True, detector=detector,
    )  # fmt: skip
    assert np.bincount([groups[row] for row in result.selection.indices]).tolist() == [2, 2, 2]
    predicted = dr.predict_boxes(dataset, detector)
    assert any(NAMES.index("tree") in predicted[row].class_ids for row in result.selection.indices)


def test_without_a_detector_a_score_says_what_it_needs(pool: Path, labelled: Path, tmp_path: Path) -> None:
    for method in ("uncertainty", "disagreement"):
        for data in (pool, labelled):
            with pytest.raises(InputError, match="--detector"):
                dr.reduce(data, tmp_path / "out", method, keep=3)
    with pytest.raises(InputError, match="--detector"):
        dr.reduce(pool, tmp_path / "out", "herding", keep=3)
    assert not (tmp_path / "out").exists()


def test_a_detector_that_finds_nothing_is_an_error(pool: Path, tmp_path: Path) -> None:
    blind = dr.Detector(make_detector(tmp_path / "blind.pt", blind=True), imgsz=64)
    with pytest.raises(InputError, match="--detector-confidence"):
        dr.reduce(pool, tmp_path / "out", "herding", keep=3, detector=blind)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["auto", "uncertainty"])
def test_a_cluster_does_not_predict_boxes(pool: Path, detector: dr.Detector, tmp_path: Path, method: str) -> None:
    with pytest.raises(InputError, match="Ray"):
        dr.reduce(pool, tmp_path / "out", method, keep=3, detector=detector, ray="auto")
    assert not (tmp_path / "out").exists()


def test_a_broken_image_is_left_out(pool: Path, detector: dr.Detector, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    shutil.copytree(pool, folder)
    (folder / "scene0000_frame000.png").write_bytes(b"no picture")
    for method in ("class_coverage", "herding", "uncertainty"):
        said: list[str] = []
        result = dr.reduce(folder, tmp_path / method, method, keep=20, detector=detector, say=said.append)
        assert sum("scene0000_frame000.png" in line for line in said) == 1
        assert "scene0000_frame000.png" not in result.selection.image_ids
        assert len(result.selection.provenance["skipped_images"]) == 1


def test_frames_that_repeat_in_time_are_not_predicted(
    detector: dr.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight frames of one scene, the network sees one, if near-duplicates in time are left out."""
    video = make_video(tmp_path / "videos" / "drive.mp4", frames=48)
    seen: list[int] = []
    real = DetectorNetwork.predict

    def counted(self: Any, group: list[Any], *given: Any, **more: Any) -> Any:
        seen.append(len(group))
        return real(self, group, *given, **more)

    monkeypatch.setattr(DetectorNetwork, "predict", counted)
    given: dict[str, Any] = {"keep": 4, "every": 1, "detector": detector, "cache": tmp_path / "cache"}
    result = dr.reduce(video, tmp_path / "out", "class_coverage", drop_duplicates="time", **given)
    assert len(result.selection) == 4
    dropped = sum(step.get("dropped", 0) for step in result.selection.steps)
    assert dropped >= 30 and sum(seen) == 48 - dropped
    auto = dr.reduce(video, tmp_path / "auto", **given)
    assert auto.selection.method == "herding" and sum(seen) == 48 - dropped
    again = dr.reduce(video, tmp_path / "again", **{**given, "cache": tmp_path / "other"})
    assert again.selection.image_ids == auto.selection.image_ids


@pytest.mark.parametrize("method", ["auto", "uncertainty", "class_coverage"])
def test_the_next_round_chooses_by_the_boxes_of_a_detector(
    pool: Path, detector: dr.Detector, tmp_path: Path, method: str
) -> None:
    first = dr.reduce(pool, tmp_path / "round1", "srs", keep=4)
    found = dr.next_round(
        pool, tmp_path / "round2", after=[tmp_path / "round1"], count=3, method=method, detector=detector
    )
    assert len(found.selection) == 3 and not set(found.selection.image_ids) & set(first.selection.image_ids)
    assert found.selection.provenance["detector"]["detector"] == "made.pt"
    assert found.selection.method == ("herding" if method == "auto" else method)
    assert not found.dataset.labelled


def test_a_next_round_without_a_detector_refuses_the_scores(pool: Path, tmp_path: Path) -> None:
    dr.reduce(pool, tmp_path / "round1", "srs", keep=4)
    with pytest.raises(InputError, match="--detector"):
        dr.next_round(pool, tmp_path / "round2", after=[tmp_path / "round1"], count=3, method="uncertainty")


def test_a_killed_or_repeated_run_predicts_nothing_twice(
    pool: Path, detector: dr.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"keep": 5, "detector": detector, "cache": tmp_path / "cache"}
    first = dr.reduce(pool, tmp_path / "one", "herding", **given)
    monkeypatch.setattr(predict.DetectorNetwork, "predict", None)
    second = dr.reduce(pool, tmp_path / "two", "herding", **given)
    assert first.selection.image_ids == second.selection.image_ids


def test_pictures_and_videos_together(detector: dr.Detector, tmp_path: Path) -> None:
    make_video(tmp_path / "mixed" / "drive.mp4", frames=24)
    for number in range(4):
        picture = np.random.default_rng(number).integers(0, 255, (64, 96, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "mixed" / f"still{number}.png"), picture)
    result = dr.reduce(tmp_path / "mixed", tmp_path / "out", "uncertainty", keep=6, every=4, detector=detector)
    assert len(result.selection) == 6 and result.selection.provenance["detector"]["images"] == 10
