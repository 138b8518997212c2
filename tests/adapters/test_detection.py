"""What the contract does not say of boxed faces: boxes in pixels, one side for one picture, and broken exports."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.adapters.detection.faces import in_picture
from ferdata.adapters.detection.yolo import labels_of
from ferdata.errors import BrokenSource, NotThisDataset, UnknownLabel
from ferdata.manifest import Manifest
from ferdata.sources.left_out import NOTES, UNLISTED
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from tests.fakes import face, save
from tests.fakes.detection import BOXES, LAYOUTS, coco, voc, yolo


def ingested(tmp_path, root=None, **options):
    return ingest("detection", root=root or tmp_path / "d", out=tmp_path / "boxes.parquet", workers=1, **options)


@pytest.fixture(params=LAYOUTS)
def done(request, tmp_path):
    (tmp_path / "d").mkdir()
    LAYOUTS[request.param](tmp_path / "d")
    return ingested(tmp_path)


def test_every_form_gives_the_boxes_in_pixels_and_both_faces_of_a_picture(done):
    rows = Manifest(done.out).table("sample_id", "image", "face_box").to_pylist()
    by_picture = {}
    for row in rows:
        by_picture.setdefault(row["image"]["path"], []).append(row)
    assert len(by_picture) == 9
    for faces in by_picture.values():
        assert [pytest.approx(row["face_box"]) for row in faces] == list(BOXES)
        assert [row["sample_id"].endswith("#2") for row in faces] == [False, True]


def test_the_faces_of_a_picture_stay_on_one_side_and_do_not_contradict_each_other(done, tmp_path):
    merged = merge(done.out, out=tmp_path / "merged.parquet", split="0.6,0.2,0.2")
    rows = Manifest(merged.out).table("image", "split", "group").to_pylist()
    sides = {}
    for row in rows:
        sides.setdefault(row["image"]["path"], set()).add((row["split"], row["group"]))
    assert all(len(side) == 1 for side in sides.values())
    assert merged.conflicts.pictures == 0


def write_yolo(tmp_path, line, yaml="names: {0: anger, 1: happiness}"):
    root = tmp_path / "d"
    save(root / "images" / "a.jpg", face(1, colour=True))
    save(root / "images" / "b.jpg", face(2))
    (root / "labels").mkdir()
    (root / "labels" / "a.txt").write_text(line)
    (root / "labels" / "b.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    if yaml:
        (root / "data.yaml").write_text(yaml)


class TestBroken:
    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n", r"a.txt:1: 9 numbers"),
            ("anger 0.5 0.5 1 1\n", r"a.txt:1: .* is not a class and a box"),
        ],
    )
    def test_a_line_of_yolo_that_cannot_be_costs_its_own_picture_and_is_named(self, tmp_path, line, words):
        write_yolo(tmp_path, line)
        done = ingested(tmp_path)
        assert (done.rows, done.rejected) == (1, {NOTES: 1})
        assert re.search(rf"images/a.jpg .*{words}", done.named[NOTES][0])

    def test_a_class_without_a_name_is_refused(self, tmp_path):
        write_yolo(tmp_path, "0 0.5 0.5 1 1\n2 0.5 0.5 1 1\n")
        with pytest.raises(UnknownLabel, match=r"a.txt:2: class 2, but 2 classes have names: 0 to 1"):
            ingested(tmp_path)

    @pytest.mark.parametrize("line", ["0 1.5 0.5 0.2 0.2", "0 0.5 0.5 0 0.2", "0 nan 0.5 0.2 0.2", "0 0.5 0.5 -1 1"])
    def test_a_box_outside_the_picture_is_left_out_and_counted(self, tmp_path, line):
        write_yolo(tmp_path, line)
        done = ingested(tmp_path)
        assert (done.rows, done.rejected) == (1, {"its box is outside the picture": 1})

    def test_a_box_over_the_edge_ends_there_and_is_told(self, tmp_path):
        write_yolo(tmp_path, "1 0.9 0.5 0.4 0.5")
        done = ingested(tmp_path)
        assert "1 boxes reached over the edge of their picture" in done.note
        box = Manifest(done.out).table("face_box")["face_box"].to_pylist()[0]
        assert box == pytest.approx([0.7 * 48, 12, 0.3 * 48, 24])

    def test_no_names_of_classes(self, tmp_path):
        write_yolo(tmp_path, "0 0.5 0.5 0.2 0.2", yaml="")
        with pytest.raises(NotThisDataset, match="no file with the names of their classes"):
            ingested(tmp_path)

    def test_labelimg_s_list_of_classes_will_do(self, tmp_path):
        write_yolo(tmp_path, "1 0.5 0.5 0.2 0.2", yaml="")
        (tmp_path / "d" / "labels" / "classes.txt").write_text("anger\nhappiness\n")
        assert Manifest(ingested(tmp_path).out).table("label")["label"].to_pylist() == ["happiness", "anger"]

    @pytest.mark.parametrize(
        "yaml", ["names: [a", "names: {x: anger}", "!!python/object/apply:os.system ['touch pwned']"]
    )
    def test_a_yaml_that_cannot_be_read_or_would_run_something(self, tmp_path, yaml, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write_yolo(tmp_path, "0 0.5 0.5 0.2 0.2", yaml=yaml)
        with pytest.raises(BrokenSource, match=r"data.yaml cannot be read"):
            ingested(tmp_path)
        assert not (tmp_path / "pwned").exists()

    def test_classes_that_are_no_emotions_are_refused_with_their_number(self, tmp_path):
        write_yolo(tmp_path, "0 0.5 0.5 0.2 0.2", yaml="names: [car, happiness]")
        with pytest.raises(UnknownLabel, match=r"'car' \(2 boxes\)"):
            ingested(tmp_path)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda c: c["annotations"][0].update(category_id=99), "category 99, which has no name"),
            (lambda c: c["annotations"][0].update(image_id=99), "image 99, which is not listed"),
            (lambda c: c["annotations"][0].pop("bbox"), "KeyError"),
        ],
    )
    def test_a_coco_file_that_contradicts_itself(self, tmp_path, change, words):
        (tmp_path / "d").mkdir()
        coco(tmp_path / "d")
        path = tmp_path / "d" / "annotations" / "instances_train2024.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        with pytest.raises(BrokenSource, match=words):
            ingested(tmp_path)

    def test_a_picture_that_a_file_names_elsewhere_is_not_read(self, tmp_path):
        (tmp_path / "d").mkdir()
        coco(tmp_path / "d")
        save(tmp_path / "outside.jpg", face(7))
        path = tmp_path / "d" / "annotations" / "instances_train2024.json"
        path.write_text(path.read_text().replace("train_0.jpg", "../../outside.jpg"))
        done = ingested(tmp_path)
        # The fake's own, both faces of that picture, and the picture of the name that nothing lists any more.
        assert sum(done.rejected.values()) == 2 + 2 + 1
        assert done.named[UNLISTED] == ["detection:images/train_0.jpg"]
        assert not any("outside" in row["image"]["path"] for row in Manifest(done.out).table("image").to_pylist())

    def test_xml_cut_short_costs_its_own_picture(self, tmp_path):
        (tmp_path / "d").mkdir()
        voc(tmp_path / "d")
        path = tmp_path / "d" / "Annotations" / "train_0.xml"
        path.write_text(path.read_text()[:-30])
        done = ingested(tmp_path)
        assert "train_0.xml cannot be read as XML" in done.named[NOTES][0]
        assert done.named["no annotation file of the picture"] == ["detection:JPEGImages/train_0.jpg"]


def test_class_folders_point_to_it(tmp_path):
    (tmp_path / "d").mkdir()
    yolo(tmp_path / "d")
    with pytest.raises(NotThisDataset, match="ferdata ingest detection --root") as caught:
        ingest("folder", root=tmp_path / "d", out=tmp_path / "m.parquet", workers=1)
    assert str(tmp_path / "d") in str(caught.value)


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("images/train/1.jpg", "labels/train/1.txt"),
        ("train/images/1.jpg", "train/labels/1.txt"),
        ("images/images/1.jpg", "images/labels/1.txt"),
        ("pictures/1.jpg", None),
    ],
)
def test_the_boxes_of_a_picture_lie_where_ultralytics_looks(image, labels):
    assert labels_of(image) == labels


NUMBER = st.integers(-400, 800).map(lambda quarter: quarter / 4)


@given(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER))
def test_what_is_left_of_a_box_lies_in_the_picture_and_in_the_box(box):
    found = in_picture(box, 64, 48)
    if found is None:
        left, top, wide, high = box
        assert wide <= 0 or high <= 0 or left >= 64 or top >= 48 or left + wide <= 0 or top + high <= 0
        return
    (left, top, wide, high), cut = found
    assert 0 <= left < left + wide <= 64 + 1e-9
    assert 0 <= top < top + high <= 48 + 1e-9
    assert cut == (box[0] < 0 or box[1] < 0 or box[0] + box[2] > 64 or box[1] + box[3] > 48)
