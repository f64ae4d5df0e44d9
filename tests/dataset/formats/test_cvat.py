"""CVAT's exports: for images 1.1, YOLO 1.1, Ultralytics YOLO Detection 1.0, COCO 1.0 and PASCAL VOC 1.1.

The files have the layout and the text of CVAT's exporters (cvat/apps/dataset_manager/formats, and the converters of
cvat-ai/datumaro). There are exports of a task, and of a project with tasks in the subsets Train and Validation.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import summarise
from detreduce.dataset.write import write_subset, write_yolo_view
from detreduce.errors import InputError, MissingFileError

pytestmark = pytest.mark.filterwarnings("ignore::detreduce.dataset.writing.subset_warnings.SubsetWarning")

LABELS = """\
      <labels>
        <label>
          <name>dog</name>
          <color>#fa3253</color>
          <type>any</type>
          <attributes>
          </attributes>
        </label>
        <label>
          <name>cat &amp; kitten</name>
          <color>#24b353</color>
          <type>rectangle</type>
          <attributes>
            <attribute>
              <name>age</name>
              <mutable>False</mutable>
              <input_type>number</input_type>
              <default_value>1</default_value>
              <values>1
20
1</values>
            </attribute>
          </attributes>
        </label>
        <label>
          <name>body</name>
          <type>skeleton</type>
          <attributes>
          </attributes>
          <svg>&lt;circle r="1.5"&gt;&lt;/circle&gt;</svg>
        </label>
        <label>
          <name>1</name>
          <type>points</type>
          <attributes>
          </attributes>
          <parent>body</parent>
        </label>
      </labels>
"""

TASK = f"""\
<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>4</id>
      <name>pets</name>
      <size>3</size>
      <mode>annotation</mode>
{LABELS}    </task>
    <dumped>2024-09-25 11:38:28.799808+00:00</dumped>
  </meta>
  <image id="0" name="a.jpg" width="100" height="50">
    <box label="dog" source="manual" occluded="0" xtl="10.50" ytl="5.00" xbr="30.00" ybr="25.25" z_order="0">
    </box>
    <box label="cat &amp; kitten" source="manual" occluded="1" xtl="0.00" ytl="0.00" xbr="8.00" ybr="8.00" z_order="0">
      <attribute name="age">3</attribute>
    </box>
  </image>
  <image id="1" name="sub/b &gt; c.png" width="100" height="50">
    <polygon label="dog" source="manual" occluded="0" points="10.00,10.00;30.00,12.00;20.00,40.00" z_order="0">
    </polygon>
    <box label="dog" source="manual" occluded="0" xtl="40.00" ytl="20.00" xbr="60.00" ybr="30.00" rotation="90.00">
    </box>
    <ellipse label="dog" source="manual" occluded="0" cx="70.00" cy="20.00" rx="10.00" ry="5.00" z_order="0">
    </ellipse>
    <mask label="dog" source="manual" occluded="0" rle="3, 5, 7" left="80" top="10" width="5" height="3" z_order="0">
    </mask>
    <points label="dog" source="manual" occluded="0" points="1.00,1.00" z_order="0">
    </points>
    <skeleton label="body" source="manual" z_order="0">
      <points label="1" source="manual" outside="0" occluded="0" points="54.47,94.81">
      </points>
    </skeleton>
    <tag label="dog" source="manual">
    </tag>
  </image>
  <image id="2" name="empty.jpg" width="64" height="64">
  </image>
</annotations>
"""


def make_images(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 50)).save(folder / name)


@pytest.fixture
def task(tmp_path: Path) -> Path:
    make_images(tmp_path / "in/images", "a.jpg", "sub/b > c.png", "empty.jpg")
    (tmp_path / "in/annotations.xml").write_text(TASK)
    return tmp_path / "in"


def test_a_task(task):
    dataset = load_dataset(task)
    assert dataset.source.path == task / "annotations.xml"
    assert (dataset.source.format, dataset.split, list(dataset.source.splits)) == ("cvat", "train", ["train"])
    assert dataset.class_names == ("dog", "cat & kitten")
    assert [record.name for record in dataset] == dataset.image_ids == ["a.jpg", "empty.jpg", "sub/b > c.png"]
    assert [record.path.is_file() for record in dataset] == [True] * 3
    first, empty, second = dataset
    np.testing.assert_array_equal(first.boxes, [[10.5, 5, 30, 25.25], [0, 0, 8, 8]])
    assert first.class_ids.tolist() == [0, 1]
    assert (empty.size, len(empty.boxes)) == ((64, 64), 0)
    around = [[10, 10, 30, 40], [45, 15, 55, 35], [60, 15, 80, 25], [80, 10, 85, 13]]
    np.testing.assert_allclose(second.boxes, around, atol=1e-9)
    assert sorted(re.split(" shapes? ", problem.what)[0] for problem in dataset.problems) == [
        "1 points",
        "1 skeleton",
        "1 tag",
    ]
    assert summarise(dataset).splits == {"train": 3}


def test_images_elsewhere(task, tmp_path):
    (task / "images").rename(tmp_path / "photos")
    with pytest.raises(MissingFileError, match=r"none of its images \(3; the first: a.jpg\).*Save images.*images="):
        load_dataset(task)
    dataset = load_dataset(task / "annotations.xml", images=tmp_path / "photos")
    assert dataset[0].path == tmp_path / "photos/a.jpg"
    (tmp_path / "photos/a.jpg").unlink()
    dataset = load_dataset(task / "annotations.xml", images=tmp_path / "photos")
    assert "image 'a.jpg' does not exist; left out with its 2 boxes" in [problem.what for problem in dataset.problems]
    with pytest.raises(MissingFileError, match="the images folder"):
        load_dataset(task / "annotations.xml", images=tmp_path / "gone")


def test_subset_is_the_xml_less_the_other_images(task, tmp_path):
    dataset = load_dataset(task)
    reduced = write_subset(dataset, ["empty.jpg", "a.jpg"], tmp_path / "out")
    start, end = TASK.index('\n  <image id="1"'), TASK.index('\n  <image id="2"')
    assert (tmp_path / "out/annotations.xml").read_text() == TASK[:start] + TASK[end:]
    assert reduced.image_ids == ["a.jpg", "empty.jpg"]
    np.testing.assert_array_equal(reduced[0].boxes, dataset[0].boxes)
    assert (tmp_path / "out/images/a.jpg").samefile(task / "images/a.jpg")
    assert not (tmp_path / "out/images/sub").exists()
    write_subset(dataset, dataset.image_ids, tmp_path / "all")
    assert (tmp_path / "all/annotations.xml").read_text() == TASK
    with pytest.raises(InputError, match=r"link='list' cannot be used for annotations\.xml"):
        write_subset(dataset, ["a.jpg"], tmp_path / "list", link="list")
    assert write_yolo_view(task, tmp_path / "view").is_file()
    assert (tmp_path / "view/labels/train/a.txt").read_text().splitlines()[0] == "0 0.2025 0.3025 0.195 0.405"


def test_an_image_in_one_tag_is_cut_whole(tmp_path):
    make_images(tmp_path / "in", "a.jpg", "b.jpg")
    text = '<annotations>\n  <image name="a.jpg" id="0"/>\n  <image id="1" name="b.jpg"></image >\n</annotations>'
    (tmp_path / "in/x.xml").write_text(text)
    dataset = load_dataset(tmp_path / "in/x.xml")
    write_subset(dataset, ["b.jpg"], tmp_path / "b")
    assert (tmp_path / "b/x.xml").read_text() == text.replace('\n  <image name="a.jpg" id="0"/>', "")
    write_subset(dataset, ["a.jpg"], tmp_path / "a")
    assert (tmp_path / "a/x.xml").read_text() == text.replace('\n  <image id="1" name="b.jpg"></image >', "")


PROJECT = f"""\
<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <project>
      <id>1</id>
      <name>pets</name>
{LABELS}      <subsets>Train
Validation</subsets>
    </project>
  </meta>
  <image id="0" name="a.jpg" subset="Train" task_id="4" width="100" height="50">
    <box label="dog" source="manual" occluded="0" xtl="10.50" ytl="5.00" xbr="30.00" ybr="25.25" z_order="0">
    </box>
  </image>
  <image id="1" name="b.jpg" subset="Train" task_id="4" width="100" height="50">
  </image>
  <image id="0" name="a.jpg" subset="Validation" task_id="5" width="100" height="50">
  </image>
</annotations>
"""


def test_a_project_has_its_subsets_as_splits(tmp_path):
    make_images(tmp_path / "in/images", "Train/a.jpg", "Train/b.jpg", "Validation/a.jpg")
    (tmp_path / "in/annotations.xml").write_text(PROJECT)
    dataset, other = load_dataset(tmp_path / "in"), load_dataset(tmp_path / "in", "val")
    assert list(dataset.source.splits) == ["train", "val"]
    assert (dataset.image_ids, other.image_ids) == (["Train/a.jpg", "Train/b.jpg"], ["Validation/a.jpg"])
    reduced = write_subset(dataset, ["Train/b.jpg"], tmp_path / "out")
    assert reduced.image_ids == ["Train/b.jpg"]
    start, end = PROJECT.index("\n  <image"), PROJECT.index('\n  <image id="1"')
    assert (tmp_path / "out/annotations.xml").read_text() == PROJECT[:start] + PROJECT[end:]
    assert load_dataset(tmp_path / "out", "val").image_ids == ["Validation/a.jpg"]
    assert (tmp_path / "out/images/Validation/a.jpg").is_file()


def test_images_without_a_subset_are_train(tmp_path):
    make_images(tmp_path / "images/default", "a.jpg")
    text = '<annotations><image id="0" name="a.jpg" subset="default" width="9" height="9"></image></annotations>'
    (tmp_path / "annotations.xml").write_text(text)
    assert load_dataset(tmp_path).image_ids == ["default/a.jpg"]
    (tmp_path / "annotations.xml").write_text(text.replace("</ann", '<image id="1" name="b.jpg" subset="Train"/></ann'))
    make_images(tmp_path / "images/Train", "b.jpg")
    assert list(load_dataset(tmp_path).source.splits) == ["train", "default"]


def test_frames_of_a_video_are_named_without_suffix(tmp_path):
    make_images(tmp_path / "images", "frame_000000.PNG")
    (tmp_path / "annotations.xml").write_text('<annotations><image id="0" name="frame_000000"/></annotations>')
    assert load_dataset(tmp_path).image_ids == ["frame_000000.PNG"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("<annotations>\n<image></annotations>", r"annotations.xml:2:\d+: not valid XML"),
        ("<rss/>", "<annotations>, not <rss>"),
        (
            '<annotations><track id="0" label="x"/></annotations>',
            "'CVAT for images",
        ),
    ],
)
def test_xml_that_cannot_be_used(tmp_path, text, word):
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(InputError, match=word):
        load_dataset(tmp_path)


def test_boxes_that_cannot_be_used(tmp_path):
    boxes = ["<box/>", '<box label="a" xtl="1"/>', '<box label="a" xtl="9" ytl="9" xbr="5" ybr="12"/>']
    boxes += ['<polygon label="a" points="1,nan;2,3"/>', '<box label="a" xtl="1" ytl="1" xbr="20" ybr="3"/>']
    shapes = "".join(boxes)
    (tmp_path / "annotations.xml").write_text(
        f'<annotations><image id="0" name="a.jpg" width="10" height="10">{shapes}</image></annotations>'
    )
    make_images(tmp_path, "a.jpg")
    dataset = load_dataset(tmp_path)
    assert dataset[0].boxes.tolist() == [[1, 1, 20, 3]]
    assert [problem.what for problem in dataset.problems] == [
        "image a.jpg: box 1 has no label; left out",
        "image a.jpg: box 1 has no finite numbers; left out",
        "image a.jpg: negative box size -4 x 3; the box is left out",
        "image a.jpg: polygon 1 has no finite numbers; left out",
        "image a.jpg: box (1, 1, 20, 3) reaches past the image (10 x 10)",
    ]


def test_a_zip_is_to_be_unpacked(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("annotations.xml", TASK)
    with pytest.raises(InputError, match="zip"):
        load_dataset(tmp_path / "x.zip")


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


LINE = "1 0.500000 0.500000 0.250000 0.250000\n"


@pytest.mark.parametrize("subset", ["train", "Train"])
def test_yolo_1_1(tmp_path, subset):
    data, names = f"obj_{subset}_data", ("a.jpg", "deep/b.jpg")
    folder = lay_out(
        tmp_path / "in",
        {
            "obj.data": f"classes = 2\n{subset} = data/{subset}.txt\nnames = data/obj.names\nbackup = backup/\n",
            "obj.names": "cat\ndog\n",
            f"{subset}.txt": "".join(f"data/{data}/{name}\n" for name in names),
            f"{data}/a.txt": LINE,
            f"{data}/deep/b.txt": "",
        },
    )
    make_images(folder / data, *names)
    dataset = load_dataset(folder)
    assert (dataset.source.path, dataset.split, dataset.problems) == (folder / "obj.data", "train", ())
    assert dataset.class_names == ("cat", "dog")
    assert dataset.image_ids == [f"{data}/a.jpg", f"{data}/deep/b.jpg"]
    np.testing.assert_array_equal(dataset[0].boxes, [[0.5, 0.5, 0.25, 0.25]])
    reduced = write_subset(dataset, [f"{data}/a.jpg"], tmp_path / "out")
    assert (reduced.image_ids, reduced.problems) == ([f"{data}/a.jpg"], ())
    assert (tmp_path / "out/data.yaml").read_text() == (
        f"# made by detreduce from obj.data\nnames:\n  0: cat\n  1: dog\ntrain: {subset}.txt\n"
    )
    # ultralytics reads only ./ relative to the list
    assert (tmp_path / f"out/{subset}.txt").read_text() == f"./{data}/a.jpg\n"
    for name in ("obj.names", "obj.data", f"{data}/a.txt"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()
    again = load_dataset(tmp_path / "out/obj.data")
    assert (again.image_ids, again.content_hash) == (reduced.image_ids, reduced.content_hash)


def test_yolo_1_1_without_what_it_needs(tmp_path):
    lay_out(tmp_path, {"obj.data": "train = data/train.txt\nnames = data/obj.names\nSet1 = data/Set1.txt\n"})
    with pytest.raises(MissingFileError, match=r"obj.names: cannot be read"):
        load_dataset(tmp_path)
    lay_out(tmp_path, {"obj.names": "cat\n", "train.txt": "data/obj_train_data/a.jpg\n"})
    with pytest.raises(MissingFileError, match=r"train\.txt: none of its images \(1[;)]"):
        load_dataset(tmp_path)
    make_images(tmp_path / "obj_train_data", "a.jpg")
    what = [problem.what for problem in load_dataset(tmp_path).problems]
    assert any("'Set1'" in line for line in what)
    lay_out(tmp_path, {"obj.data": "train = data/train.txt\n"})
    with pytest.raises(InputError, match=r"'names = obj\.names'"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("prefix", ["data/", "./", ""])
@pytest.mark.parametrize(("train", "val"), [("train", "val"), ("Train", "Validation")])
def test_ultralytics_yolo_1_0(tmp_path, prefix, train, val):
    folder = lay_out(
        tmp_path / "in",
        {
            "data.yaml": f"{train}: {train}.txt\n{val}: {val}.txt\nnames:\n  0: cat\n  1: dog\npath: .\n",
            f"{train}.txt": f"{prefix}images/{train}/a.jpg\n{prefix}images/{train}/b.jpg\n",
            f"{val}.txt": f"{prefix}images/{val}/c.jpg\n",
            f"labels/{train}/a.txt": LINE,
            f"labels/{val}/c.txt": LINE,
        },
    )
    make_images(folder / "images", f"{train}/a.jpg", f"{train}/b.jpg", f"{val}/c.jpg")
    dataset = load_dataset(folder)
    assert (dataset.image_ids, dataset.problems) == ([f"images/{train}/a.jpg", f"images/{train}/b.jpg"], ())
    assert len(dataset[0].boxes) == 1
    reduced = write_subset(dataset, [f"images/{train}/a.jpg"], tmp_path / "out")
    assert (reduced.image_ids, len(reduced[0].boxes)) == ([f"images/{train}/a.jpg"], 1)
    assert len(load_dataset(tmp_path / "out", "val")[0].boxes) == 1
    text = (tmp_path / "out/data.yaml").read_text()
    assert f"train: {train}.txt\n" in text
    assert f"val: {val}.txt\n" in text
    assert (tmp_path / f"out/{train}.txt").read_text() == f"./images/{train}/a.jpg\n"


@pytest.mark.parametrize("images", ["images", "images/default"])
def test_coco_1_0(tmp_path, images):
    content = (
        '{"licenses":[{"name":"","id":0,"url":""}],"info":{"contributor":""},"categories":[{"id":1,"name":"cat",'
        '"supercategory":""}],"images":[{"id":1,"width":100,"height":50,"file_name":"a.jpg","license":0,"flickr_url":'
        '"","coco_url":"","date_captured":0}],"annotations":[{"id":1,"image_id":1,"category_id":1,"segmentation":[],'
        '"area":100.0,"bbox":[10.0,10.0,10.0,10.0],"iscrowd":0,"attributes":{"occluded":false,"rotation":0.0}}]}'
    )
    folder = lay_out(tmp_path / "in", {"annotations/instances_default.json": content})
    make_images(folder / images, "a.jpg")
    dataset = load_dataset(folder)
    assert (dataset.split, dataset.image_ids, dataset.problems) == ("train", [1], ())
    assert dataset[0].path == folder / images / "a.jpg"
    write_subset(dataset, [1], tmp_path / "out")
    assert load_dataset(tmp_path / "out").image_ids == [1]


def test_coco_1_0_of_a_project(tmp_path):
    content = '{{"images":[{{"id":1,"width":9,"height":9,"file_name":"{}.jpg"}}],"annotations":[],"categories":[]}}'
    jsons = {f"annotations/instances_{name}.json": content.format(name) for name in ("Train", "Validation")}
    folder = lay_out(tmp_path, jsons)
    make_images(folder / "images", "Train/Train.jpg", "Validation/Validation.jpg")
    dataset = load_dataset(folder)
    assert (dataset.split, dataset[0].path) == ("train", folder / "images/Train/Train.jpg")


def test_pascal_voc_1_1(tmp_path):
    note = (
        "<annotation>\n  <folder/>\n  <filename>{0}.jpg</filename>\n  <source>\n    <database>Unknown</database>\n"
        "  </source>\n  <size>\n    <width>100</width>\n    <height>50</height>\n    <depth></depth>\n  </size>\n"
        "  <segmented>0</segmented>\n  <object>\n    <name>cat</name>\n    <truncated>0</truncated>\n"
        "    <occluded>0</occluded>\n    <difficult>0</difficult>\n    <bndbox>\n      <xmin>10.5</xmin>\n"
        "      <ymin>5.0</ymin>\n      <xmax>30.0</xmax>\n      <ymax>25.25</ymax>\n    </bndbox>\n    <attributes>\n"
        "      <attribute>\n        <name>rotation</name>\n        <value>0.0</value>\n      </attribute>\n"
        "    </attributes>\n  </object>\n</annotation>\n"
    )
    files = {f"Annotations/{name}.xml": note.format(name) for name in ("a", "b")}
    files["ImageSets/Main/default.txt"] = "a\nb\n"
    files["labelmap.txt"] = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:61,61,245::\n"
    folder = lay_out(tmp_path / "in", files)
    make_images(folder / "JPEGImages", "a.jpg", "b.jpg")
    dataset = load_dataset(folder)
    assert (dataset.split, len(dataset), dataset.class_names, dataset.problems) == ("train", 2, ("cat",), ())
    np.testing.assert_array_equal(dataset[0].boxes, [[10.5, 5, 30, 25.25]])
    write_subset(dataset, ["JPEGImages/b.jpg"], tmp_path / "out")
    assert (tmp_path / "out/ImageSets/Main/default.txt").read_text() == "b\n"
    assert (tmp_path / "out/labelmap.txt").read_bytes() == (folder / "labelmap.txt").read_bytes()
    assert load_dataset(tmp_path / "out").image_ids == ["JPEGImages/b.jpg"]
