"""Corruptions against the arithmetic of other libraries, and copies that do not change the images of a dataset."""

from __future__ import annotations

import colorsys
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import convolve
from tiny_dataset import make_tiny, snapshot

from detreduce.errors import InputError
from detreduce.training.evaluation import robustness
from detreduce.training.evaluation.corruptions import BLUR, BRIGHTNESS, JPEG, NOISE, check_corruptions, corrupt, disk
from detreduce.training.evaluation.figures import Evaluation
from detreduce.training.evaluation.ground_truth import truth_of
from detreduce.training.evaluation.robustness import CleanImages, check_channels, evaluate_corrupted
from detreduce.training.run.folder import EvaluationPlan, make_run_folder
from detreduce.vocabulary.corruptions import CORRUPTIONS, SEVERITIES

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
SMOOTH = cv2.resize(PIXELS[:5, :6], (48, 40), interpolation=cv2.INTER_CUBIC)


@given(
    st.sampled_from(CORRUPTIONS),
    st.sampled_from(SEVERITIES),
    st.sampled_from([1, 3]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_a_corrupted_image_has_the_same_shape_and_is_always_the_same(corruption, severity, channels, size):
    image = PIXELS[: size[0], : size[1], :channels].copy()
    before = image.copy()
    worse = corrupt(image, corruption, severity, "a.jpg")
    assert worse.shape == image.shape and worse.dtype == np.uint8
    assert np.array_equal(worse, corrupt(image, corruption, severity, "a.jpg"))
    assert np.array_equal(image, before)


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_higher_severity_is_further_from_the_image(corruption):
    changes = [np.abs(corrupt(SMOOTH, corruption, one).astype(int) - SMOOTH).mean() for one in SEVERITIES]
    assert 0 < changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_noise_has_the_published_strength_and_is_another_for_each_image(severity):
    grey = np.full((300, 300, 3), 128, np.uint8)
    noisy = corrupt(grey, "noise", severity, "a.jpg")
    drawn = np.clip(128 / 255 + np.random.default_rng(1).normal(0, NOISE[severity], grey.shape), 0, 1)
    assert noisy.std() / 255 == pytest.approx(drawn.std(), rel=0.02)
    assert not np.array_equal(noisy, corrupt(grey, "noise", severity, "b.jpg"))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_blur_is_a_convolution_with_the_disk(severity):
    kernel = disk(*BLUR[severity])
    assert kernel.sum() == pytest.approx(1, abs=0.011) and np.allclose(kernel, kernel[::-1, ::-1], atol=1e-8)
    # the middle row of a disk is its diameter
    assert np.count_nonzero(kernel[len(kernel) // 2] > kernel.max() / 2) == 2 * BLUR[severity][0] + 1
    blurred = np.stack([convolve(PIXELS[..., one] / 255, kernel, mode="mirror") for one in range(3)], axis=2)
    assert np.abs(corrupt(PIXELS, "blur", severity).astype(int) - blurred * 255).max() <= 1


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_is_v_of_hsv(severity):
    image = PIXELS[:8, :8].copy()
    image[0, 0] = 0
    wanted = np.empty(image.shape)
    for row, column in np.ndindex(8, 8):
        hue, saturation, value = colorsys.rgb_to_hsv(*(image[row, column] / 255))
        wanted[row, column] = colorsys.hsv_to_rgb(hue, saturation, min(value + BRIGHTNESS[severity], 1))
    assert np.abs(corrupt(image, "brightness", severity).astype(int) - wanted * 255).max() <= 1


@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_is_that_of_another_encoder(severity):
    file = io.BytesIO()
    Image.fromarray(SMOOTH).save(file, "JPEG", quality=JPEG[severity])
    pillow = np.array(Image.open(file))
    ours = corrupt(SMOOTH[..., ::-1].copy(), "jpeg", severity)[..., ::-1]
    assert np.abs(ours.astype(int) - pillow).mean() < 1


def test_names_are_checked():
    assert check_corruptions(["jpeg", "noise", "jpeg"]) == ("noise", "jpeg")
    assert check_corruptions("blur, noise") == ("noise", "blur") and check_corruptions("all") == CORRUPTIONS
    assert check_corruptions(()) == check_corruptions(None) == ()
    with pytest.raises(InputError, match=r"'nois' is not one of .* Did you mean 'noise'"):
        check_corruptions(["nois"])
    with pytest.raises(InputError, match="corruptions=5"):
        check_corruptions(5)
    with pytest.raises(InputError, match=r"\(4, 4, 5\)"):
        corrupt(np.zeros((4, 4, 5), np.uint8), "blur", 1)


def make_run(folder: Path) -> CleanImages:
    run = make_run_folder(
        make_tiny(folder / "tiny"),
        folder / "run",
        label="x",
        evaluation=EvaluationPlan(evaluate_on="val+test", allow_leaks=True),
    )
    return CleanImages(run.data_yaml, list(run.truths.values()))


def test_copies_have_the_boxes_of_the_images_and_are_removed(tmp_path, monkeypatch):
    clean = make_run(tmp_path)
    truth, _ = truth_of(clean.datasets)
    before, seen = snapshot(tmp_path), []

    def look(weights, data_yaml, datasets, *, output, **arguments):
        worse, rows = truth_of(datasets)
        assert len(rows) == 12 and np.array_equal(worse.xyxy, truth.xyxy)
        assert np.array_equal(worse.class_id, truth.class_id) and arguments == {"imgsz": 64}
        for dataset, of in zip(datasets, clean.datasets, strict=True):
            for copy, record in zip(dataset, of, strict=True):
                label = Path(str(copy.path).replace("/images/", "/labels/")).with_suffix(".txt")
                assert label.read_text() == record.label_path.read_text()
        record, copy = clean.datasets[0][1], datasets[0][1]
        seen.append((cv2.imread(str(record.path)), cv2.imread(str(copy.path)), f"val/{record.name}"))
        figures = dict.fromkeys(("mAP50", "mAP50_95", "precision", "recall"), 0.5)
        return Evaluation(splits=["val", "test"], images=12, boxes=20, trainer={"a": 1.0}, **figures), []

    monkeypatch.setattr(robustness, "evaluate", look)
    folder = tmp_path / "run" / "corrupted"
    found = evaluate_corrupted(Path("w.pt"), clean, ("noise", "jpeg"), folder, {"imgsz": 64})
    assert [(one.corruption, one.severity) for one in found] == [(a, b) for a in ("noise", "jpeg") for b in SEVERITIES]
    for one, (image, copy, name) in zip(found, seen, strict=True):
        assert np.array_equal(copy, corrupt(image, one.corruption, one.severity, name)), "without loss, and seeded"
    assert found[0].evaluation.trainer == {} and snapshot(tmp_path) == before and not folder.exists()


def test_copies_are_removed_after_an_error(tmp_path, monkeypatch):
    clean = make_run(tmp_path)
    folder = tmp_path / "run" / "corrupted"

    def fail(*_, **__):
        assert (folder / "images").is_dir()
        raise KeyboardInterrupt

    monkeypatch.setattr(robustness, "evaluate", fail)
    with pytest.raises(KeyboardInterrupt):
        evaluate_corrupted(Path("w.pt"), clean, ("blur",), folder, {})
    assert not folder.exists()


@pytest.mark.parametrize(("text", "right"), [("", True), ("channels: 1\n", True), ("channels: 4\n", False)])
def test_images_of_other_channels_are_refused_before_a_training(tmp_path, text, right):
    data = tmp_path / "data.yaml"
    data.write_text(f"train: images\n{text}")
    if right:
        check_channels(data)
    else:
        with pytest.raises(InputError, match="channels: 4"):
            check_channels(data)
