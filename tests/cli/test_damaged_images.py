"""Every command that decodes says which image is damaged, and shows no line of a decoder without a file's name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from invocation import detreduce
from PIL import Image

from detreduce.dataset.records import read_image_size
from detreduce.errors import InputError
from detreduce.training.run.offline import offline_session
from detreduce.training.run.reading.quiet_images import read_image_quietly

DAMAGED = ("train/images/half.jpg", "train/images/bits.png", "val/images/half.jpg")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five images in train, three in val; those of `DAMAGED` have a damaged inside."""
    rng = np.random.default_rng(0)
    names = {"train": ["0.jpg", "1.png", "2.jpg", "half.jpg", "bits.png"], "val": ["3.jpg", "4.jpg", "half.jpg"]}
    for split, images in names.items():
        for folder in ("images", "labels"):
            (tmp_path / split / folder).mkdir(parents=True)
        for name in images:
            file = tmp_path / split / "images" / name
            content = bytearray(cv2.imencode(file.suffix, rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))[1])
            if name == "half.jpg":
                content[len(content) // 2 :] = b"\xff\xd9"
            elif name == "bits.png":
                content[len(content) // 2] ^= 0xFF
            file.write_bytes(content)
            (tmp_path / split / "labels" / name).with_suffix(".txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (tmp_path / "data.yaml").write_text("train: train/images\nval: val/images\nnames: [a]\n")
    return tmp_path / "data.yaml"


def anonymous(lines: str, folder: Path) -> list[str]:
    """The lines of decoders that name no file."""
    return [
        line
        for line in lines.splitlines()
        if any(word in line for word in ("libpng", "JPEG", "OpenCV", "imdecode")) and str(folder) not in line
    ]


@pytest.mark.parametrize(
    "command",
    [
        ("inspect", "--check-images", "--page", "-o", "page.html"),
        ("duplicates",),
        ("reduce", "-m", "srs", "-k", "2", "--drop-duplicates", "-o", "out"),
        ("reduce", "-m", "clc", "-k", "2", "-o", "out", "--page"),
    ],
)
def test_commands(
    data: Path, command: tuple[str, ...], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    monkeypatch.setenv("DETREDUCE_CACHE", str(data.parent / "cache"))
    result = detreduce(command[0], data, *command[1:])
    shown = capfd.readouterr().err
    said = " ".join((result.output + shown).split())
    assert anonymous(shown, data.parent) == []
    for name in DAMAGED[:2] if command[0] == "reduce" else DAMAGED:
        assert name in said, (name, said)


def test_the_pages_of_a_tiff_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Image.new("RGB", (30, 20)) for _ in range(40)]
    exif = Image.Exif()
    exif[274] = 6
    file = tmp_path / "many.tif"
    pages[0].save(file, save_all=True, append_images=pages[1:], exif=exif)
    assert read_image_quietly(file).shape == (30, 20, 3) or read_image_quietly(file).shape == (20, 30, 3)
    monkeypatch.setenv("DETREDUCE_MAX_PIXELS", "1000")
    with pytest.raises(InputError, match=r"many\.tif.*40 pages"):
        read_image_quietly(file)
    with pytest.raises(OSError, match="40 pages"):
        read_image_size(file)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_of_ultralytics(data: Path, workers: int, capfd: pytest.CaptureFixture[str]) -> None:
    from torch.utils.data import DataLoader

    (data.parent / "train/images/bits.png").unlink()  # ultralytics leaves it out before it trains
    with offline_session() as messages:
        from ultralytics.data.dataset import YOLODataset

        images = YOLODataset(
            img_path=str(data.parent / "train/images"), imgsz=64, augment=False, data={"names": {0: "a"}, "channels": 3}
        )
        loader = DataLoader(images, batch_size=1, num_workers=workers, collate_fn=YOLODataset.collate_fn)
        for _ in range(2):
            assert len(list(loader)) == 4
    shown = capfd.readouterr().err
    assert anonymous(shown, data.parent) == []
    assert sum("half.jpg" in line for line in [*messages, *shown.splitlines()]) >= 1
