from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import photographs, save
from PIL import Image

from detreduce.duplicates.pixels import signatures as module
from detreduce.duplicates.pixels.signatures import cut_out, read_signatures, sign, small_grey


def test_the_digest_is_of_the_pixels_whatever_the_format_and_rotation_tag(tmp_path: Path) -> None:
    image = photographs()[0]
    paths = [save(tmp_path / "a.png", image), save(tmp_path / "b.bmp", image), tmp_path / "c.png"]
    tag = Image.Exif()
    tag[0x0112] = 6  # shown rotated by 90 degrees clockwise
    Image.fromarray(np.rot90(image, 1)).save(paths[2], exif=tag)
    paths.append(save(tmp_path / "other.png", image[:, :-1]))
    found = read_signatures(paths, tmp_path / "cache")
    assert found.digests[0] == found.digests[1] == found.digests[2] != found.digests[3]
    assert found.sizes.tolist() == [[213, 213]] * 3 + [[212, 213]]


def test_equal_bytes_of_another_shape_are_another_image() -> None:
    image = np.arange(36, dtype=np.uint8).reshape(2, 6, 3)
    assert sign(image)[:32].tolist() != sign(image.reshape(6, 2, 3))[:32].tolist()


def test_unreadable_images_are_listed_and_have_no_digest(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.png", photographs()[0])
    cut = tmp_path / "b.png"
    cut.write_bytes(whole.read_bytes()[:500])
    found = read_signatures([cut, whole, tmp_path / "none.png"], tmp_path / "cache")
    assert set(found.failures) == {0, 2} and "truncated" in found.failures[0]
    assert found.digests[0] == b"" and found.digests[1]


def test_a_second_run_and_copies_of_a_file_decode_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [save(tmp_path / f"{n}.png", image) for n, image in enumerate(photographs()[:4])]
    first = read_signatures(paths, tmp_path / "cache")
    monkeypatch.setattr(module, "decode", lambda *_: pytest.fail("decoded again"))
    copy = tmp_path / "moved" / "copy.png"
    copy.parent.mkdir()
    copy.write_bytes(paths[1].read_bytes())
    again = read_signatures([*paths, copy], tmp_path / "cache")
    assert again.from_cache == 5
    np.testing.assert_array_equal(again.pixels[:4], first.pixels)
    assert again.digests == (*first.digests, first.digests[1])


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [save(tmp_path / f"{n}.png", image) for n, image in enumerate(photographs())]
    made = []

    def interrupted(image: np.ndarray) -> np.ndarray:
        made.append(1)
        if len(made) == 9:
            raise KeyboardInterrupt
        return sign(image)

    monkeypatch.setattr(module, "sign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_signatures(paths, tmp_path / "cache", workers=1)
    monkeypatch.setattr(module, "sign", sign)
    again = read_signatures(paths, tmp_path / "cache", workers=1)
    assert 1 <= again.from_cache < 12 and not again.failures


def test_black_bars_are_cut_off_and_a_black_picture_stays() -> None:
    image = photographs()[0]
    barred = np.zeros((260, 300, 3), np.uint8)
    barred[20 : 20 + 213, 50 : 50 + 213] = image
    assert np.abs(small_grey(barred).astype(int) - small_grey(image)).max() <= 1
    assert not small_grey(np.zeros((5, 9, 3), np.uint8)).any()


def test_one_core_at_least_is_used() -> None:
    assert 1 <= module.available_cores() <= 16


def test_a_part_of_an_image_has_a_signature_of_its_own(tmp_path: Path) -> None:
    one, two, *_ = photographs()
    both = np.hstack([one, two])
    paths = [save(tmp_path / "both.png", both), save(tmp_path / "two.png", two), save(tmp_path / "none.png", one)]
    right, whole = (0.5, 0.0, 1.0, 1.0), (-0.1, 0.0, 1.2, 1.0)
    for _ in range(2):  # the second time from the cache
        found = read_signatures(paths, tmp_path / "cache", regions=[right, whole, None])
        assert found.digests[0] == found.digests[1] and found.digests[2] == b""
        assert found.sizes.tolist() == [[213, 213], [213, 213], [0, 0]]
    assert found.from_cache == 2
    left = read_signatures(paths, tmp_path / "cache", regions=[(0.0, 0.0, 0.5, 1.0), None, None])
    assert left.digests[0] == read_signatures(paths, tmp_path / "cache").digests[2]


def test_a_part_is_a_pixel_at_least() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert cut_out(image, (0.25, 0.25, 0.5, 0.75)).shape == (2, 2, 3)
    for region in ((0.5, 0.5, 0.5, 0.5), (1.0, 1.0, 1.0, 1.0), (2.0, 2.0, 3.0, 3.0)):
        assert cut_out(image, region).size == 3
