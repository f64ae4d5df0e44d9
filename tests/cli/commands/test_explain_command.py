from __future__ import annotations

import json
from pathlib import Path

import pytest
from invocation import detreduce

from detreduce.reducers.catalogue import described
from detreduce.selection.record import Selection


def test_no_method_or_order_for_all_images_that_remain(copies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = detreduce("reduce", copies, "-k", "all", "-o", out)
    assert result.exit_code == 0, result.output
    assert (
        "5 of 6 images kept: all remaining images." in result.output and "1 near-duplicate left out." in result.output
    )
    assert "srs" not in result.output
    [pair] = json.loads((out / "selection.json").read_text())["provenance"]["duplicates"]["pairs"]
    told = [detreduce("explain", out, "--image", pair[part]).output for part in ("kept", "copy")]
    assert "was kept with all images that remain." in told[0] and "was dropped because it is a duplicate of" in told[1]
    assert not any(word in one for one in told for word in ("srs", "order", "Score", "distance"))


def test_reduce_drops_duplicates_and_explain_says_so(copies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = detreduce("reduce", copies, "-m", "srs", "-k", "4", "-o", out, "--drop-duplicates", "--class-floor", "1")
    assert result.exit_code == 0, result.output
    assert "1 image dropped (near-duplicates by pixels with a similarity of at least 0.85)" in result.output
    assert "1 near-duplicate left out before choosing." in " ".join(result.output.split())
    content = json.loads((out / "selection.json").read_text())
    assert content["images"] == 4
    [pair] = content["provenance"]["duplicates"]["pairs"]
    said = detreduce("explain", out / "selection.json", "--image", Path(pair["copy"]).name)
    assert said.exit_code == 0, said.output
    assert (
        f"was dropped before srs chose, because it is a duplicate of {Path(pair['kept']).name} (turned by 90 degrees"
        in said.output
    )
    kept = detreduce("explain", out / "selection.json", "--image", pair["kept"])
    assert "of 4 in the order of choice." in kept.output and Path(pair["copy"]).name in kept.output
    assert "Boxes: 1 cat." in kept.output or "Boxes: 1 dog." in kept.output
    as_json = json.loads(detreduce("explain", out / "selection.json", "--image", pair["kept"], "--json").output)
    assert as_json["kept"] is True


def test_explain_says_that_the_group_was_full(copies: Path, tmp_path: Path) -> None:
    for limit, full in ((2, True), (3, False)):
        out = tmp_path / f"out{limit}"
        result = detreduce(
            "reduce", copies, "-m", "srs", "-k", "2", "-o", out, "--groups", "folder", "--max-per-group", limit
        )
        assert result.exit_code == 0, result.output
        kept = json.loads((out / "selection.json").read_text())["image_ids"]
        for image in ("0.png", "1.png", "2.png"):
            said = detreduce("explain", out / "selection.json", "--image", image)
            dropped = not any(item.endswith(image) for item in kept)
            line = f"was full, because max_per_group is {limit}."
            assert (line in " ".join(said.output.split())) == (full and dropped)


def test_reduce_says_which_class_is_below_its_floor(copies: Path, tmp_path: Path) -> None:
    result = detreduce("reduce", copies, "-k", "5", "-o", tmp_path / "out", "--class-floor", "dog=4")
    assert result.exit_code == 0, result.output
    assert "Warning: Classes below class_floor because no more images have them: dog (3 of 4)." in " ".join(
        result.output.split()
    )


def test_explain_refuses_kindly(copies: Path, tmp_path: Path) -> None:
    assert detreduce("reduce", copies, "-m", "srs", "-k", "2", "-o", tmp_path / "out").exit_code == 0
    selection = tmp_path / "out" / "selection.json"
    for arguments, said in (
        ((tmp_path / "none.json", "--image", "0.png"), "none.json"),
        ((selection, "--image", "0.pngg"), "Did you mean '0.png'"),
        ((selection, "--image", "0.png", "--data", tmp_path / "set" / "dato.yaml"), "set/data.yaml'?"),
    ):
        result = detreduce("explain", *arguments)
        assert result.exit_code == 2 and said in result.output, result.output
    copies.parent.rename(tmp_path / "moved")
    result = detreduce("explain", selection, "--image", "0.png")
    assert result.exit_code == 2 and "does not exist" in result.output and "--data" in result.output
    moved = detreduce("explain", selection, "--image", "0.png", "--data", tmp_path / "moved" / "data.yaml")
    assert moved.exit_code == 0, moved.output
    assert "Kept image with the most similar boxes: " in moved.output


def test_explain_says_why_there_is_no_score(copies: Path, tmp_path: Path) -> None:
    result = detreduce("reduce", copies, "-m", "stride", "-k", "2", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    selection = tmp_path / "out" / "selection.json"
    kept = {Path(image_id).name for image_id in Selection.load(selection).image_ids}
    dropped = next(path for path in sorted(copies.parent.rglob("*.png")) if path.name not in kept)
    said = detreduce("explain", selection, "--image", dropped.name)
    assert said.exit_code == 0, said.output
    assert "does not have a score, because stride" in " ".join(said.output.split())


def explained(out: Path, image: str) -> str:
    done = detreduce("explain", out, "--image", image)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize("method", ["class_coverage", "mms", "first"])
def test_a_score_is_left_out_where_it_repeats_the_rank_and_the_rule_is_said(
    copies: Path, tmp_path: Path, method: str
) -> None:
    out = tmp_path / "out"
    made = detreduce("reduce", copies, "-m", method, "-k", "3", "-o", out, "--blocks", "annotations")
    assert made.exit_code == 0, made.output
    selection = Selection.load(out / "selection.json")
    for rank, image in enumerate(selection.image_ids, 1):
        said, score = explained(out, str(image)), float(selection.scores[selection.indices[rank - 1]])
        assert f"{method} keeps {described(method).summary}." in said
        assert ("Score" in said) == (-score not in (rank, rank - 1)), (said, score)


def test_a_leaked_image_names_its_copy(copies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = detreduce("reduce", copies, "-m", "srs", "-k", "2", "-o", out, "--drop-leaked")
    assert made.exit_code == 0, made.output
    assert "because it is the same as val 0.png (equal pixels)." in explained(out, "train/images/0.png")
    assert "because it is nearly the same as val 1.png (mirrored, similarity" in explained(out, "train/images/1.png")


def test_what_is_not_there_is_not_called_unknown(copies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert detreduce("reduce", copies, "-m", "srs", "-k", "5", "-o", out).exit_code == 0
    dropped = (
        {f"train/images/{row}.png" for row in range(6)} - set(Selection.load(out / "selection.json").image_ids)
    ).pop()
    said = explained(out, dropped)
    assert "not known" not in said and "ropped image" not in said and "Kept image" in said
    bare = tmp_path / "bare"
    assert detreduce("reduce", copies.parent / "train" / "images", "-m", "srs", "-k", "2", "-o", bare).exit_code == 0
    said = explained(bare, "0.png")
    assert "Boxes: not labelled." in said
