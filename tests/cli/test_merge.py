"""`ferdata merge`: what it prints, and where it leads next."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ferdata.duplicates.label_conflicts import MANY
from ferdata.manifest import Manifest
from tests.conftest import MakeManifest, Ran, picture
from tests.fakes import expw, save

SMALL = [4.0, 4.0, 12.0, 12.0]  # a sixteenth of 48 x 48


def test_where_rows_are_scenes_it_leads_to_align_and_then_the_net_sees_faces(
    ferdata: Callable[..., Ran], tmp_path: Path
) -> None:
    expw.official(tmp_path / "data")
    assert ferdata("ingest", "expw", "--root", "data", "-o", "e.parquet").code == 0
    boxes = ferdata("merge", "e.parquet", "-o", "m.parquet")
    assert "Next: 5 rows show whole scenes" in boxes.out, boxes
    assert "ferdata align e.parquet -o e-aligned.parquet" in boxes.out
    assert "ferdata train" not in boxes.out
    assert ferdata("align", "e.parquet", "-o", "e-aligned.parquet").code == 0
    faces = ferdata("merge", "e-aligned.parquet", "-o", "m2.parquet")
    assert "scenes" not in faces.out
    assert "ferdata split m2.parquet" in faces.out  # seven rows, of which a split has none


def test_where_a_split_is_empty_it_leads_to_new_splits(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest
) -> None:
    """A dataset whose publisher names train rows alone."""
    rows = ({"native_label": "fear", "official_split": "test"} for _ in range(3))
    ran = ferdata("merge", make_manifest(*rows, name="faces"), "-o", "m.parquet")
    assert "There are no train and no val rows, which training needs." in ran.out, ran
    assert "ferdata split m.parquet --split 0.8,0.1,0.1 -o m-split.parquet" in ran.out
    assert "ferdata train" not in ran.out
    assert ferdata("split", "m.parquet", "--split", "0.8,0.1,0.1", "-o", "m-split.parquet").code == 0


def test_all_inputs_are_to_be_cut_alike(ferdata: Callable[..., Ran], make_manifest: MakeManifest) -> None:
    scenes = make_manifest({"native_label": "fear", "face_box": SMALL}, name="scenes")
    faces = make_manifest({"native_label": "fear", "dataset": "b", "face_box": [0, 0, 48, 48]}, name="faces")
    ran = ferdata("merge", scenes, faces, "-o", "m.parquet", "--json")
    result = json.loads(ran.out)
    assert (result["scenes"], result["to_align"]) == (1, [str(scenes), str(faces)])
    assert json.loads(ferdata("merge", faces, "-o", "n.parquet", "--json").out)["to_align"] == []


def test_many_pictures_of_one_room_lose_no_label_and_are_said_with_the_way_out(
    ferdata: Callable[..., Ran], tmp_path: Path
) -> None:
    """A fixed camera, another face in each picture, and nobody says where."""
    rng = np.random.default_rng(0)
    room = cv2.resize(picture(99), (320, 240), interpolation=cv2.INTER_CUBIC).astype(float)
    for seed in range(MANY + 8):
        scene = room + rng.normal(0, 3, room.shape)
        scene[70:130, 120:180] = cv2.resize(picture(seed), (60, 60))
        save(tmp_path / "data" / ("happy", "sad")[seed % 2] / f"{seed}.png", np.clip(scene, 0, 255).astype(np.uint8))
    assert ferdata("ingest", "folder", "--root", "data", "-o", "j.parquet").code == 0
    merged = ferdata("merge", "j.parquet", "-o", "m.parquet", "--conflicts", "drop")
    assert "conflict" not in str(Manifest(tmp_path / "m.parquet").table("split_reason"))
    for ran in (merged, ferdata("group", "j.parquet")):
        assert f"{MANY + 8} different pictures look like duplicates of one (folder:" in ran.out, ran
        assert "align first: ferdata align M -o aligned.parquet" in ran.out
