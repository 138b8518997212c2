import csv
import json
import os
import re
import zipfile
from collections import Counter

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from ferdata.drawing import expression, paint, person, scene
from ferdata.errors import AlreadyExists, BadOption, BrokenRun, CannotWrite
from ferdata.images import decode, detectors, encode_png
from tests.conftest import real_data
from tests.zoo.conftest import shape
from tests.zoo.greedy import Greedy
from tests.zoo.untaught import untaught
from zoo.deploy.predict import predict, tally


@pytest.fixture(scope="module")
def portraits():
    """Four drawn faces that Haar finds."""
    looking = detectors.make("haar")
    drawn = (paint(person(i), expression("fear", 1.0, 0), scene(i, plain=True), 200, 200) for i in range(40))
    return [one for one in drawn if len(looking(one)) == 1][:4]


def video(path, frames, kind="MJPG"):
    """Write a video at ten frames a second."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*kind), 10, (width, height))
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def test_a_folder_is_searched_and_most_shapes_are_told(trained, pictures):
    (pictures / "notes.txt").write_text("no picture")
    found = predict(trained, [pictures], device="cpu")
    assert len(found) == 8
    assert [p.path for p in found] == sorted(pictures.rglob("*.png"))
    assert sum(p.path.name.startswith(p.label) for p in found) >= 6
    for p in found:
        assert sum(p.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert p.label == max(p.probabilities, key=p.probabilities.get)
        assert p.runner_up not in (p.label, None)
        assert (p.box, p.size) == (None, (32, 32))


def test_what_cannot_be_read_is_named_and_keeps_its_place(run, pictures):
    broken = pictures / "broken.png"
    broken.write_bytes(b"not a picture")
    good = next((pictures / "deeper").iterdir())
    found = predict(run, [broken, good, pictures / "gone.png", pictures / "gone.mp4"])
    assert [p.error is None for p in found] == [False, True, False, False]
    assert found[0].label is None
    assert "No such file" in found[2].error
    assert "No such file" in found[3].error
    assert tally(found)["unread"] == 3


def test_pipes_and_links_that_lead_nowhere_are_counted_and_odd_names_are_spelt_out(run, pictures, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    face = sorted(pictures.rglob("*.png"))[0].read_bytes()
    (folder / os.fsdecode(b"latin\xe9.png")).write_bytes(face)
    os.mkfifo(folder / "pipe.png")
    (folder / "nowhere.png").symlink_to(tmp_path / "nothing.png")
    found = {p.path.name: p for p in predict(run, [folder], out=tmp_path / "t.parquet")}
    assert len(found) == 3
    assert found["pipe.png"].label is None
    assert found["nowhere.png"].error == "No such file or directory"
    paths = pq.read_table(tmp_path / "t.parquet")["path"].to_pylist()
    assert any(path.endswith("latin\\xe9.png") for path in paths)


def test_all_unreadable_is_still_an_answer(run, tmp_path):
    assert [p.label for p in predict(run, [tmp_path / "gone.png"])] == [None]


def test_a_temperature_flattens_and_changes_no_label(tmp_path, pictures):
    sharp, flat = (predict(untaught(tmp_path / str(t), temperature=t), [pictures]) for t in (1.0, 4.0))
    assert [p.label for p in sharp] == [p.label for p in flat]
    for one, other in zip(sharp, flat, strict=True):
        assert max(other.probabilities.values()) < max(one.probabilities.values())


def test_faces_are_found_where_they_are_and_a_picture_without_one_is_said_and_counted(run, portraits, tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(portraits[0]))
    (tmp_path / "b.png").write_bytes(encode_png(np.full((80, 90), 120, np.uint8)))
    found = predict(run, [tmp_path], detect="haar")
    assert [p.error for p in found] == [None, "no_face"]
    x, y, w, h = found[0].box
    assert 0 <= x < 100 < x + w <= 200
    assert 0 <= y < 100 < y + h <= 200
    assert found[1].label is None
    counted = tally(found, 48)
    assert (counted["pictures"], counted["faces"], counted["no_face"], counted["unread"]) == (2, 1, 1, 0)


def test_several_faces_in_a_picture_are_several_predictions(run, portraits, tmp_path):
    for i, one in enumerate(portraits):
        for j, two in enumerate(portraits):
            (tmp_path / f"{i}{j}.png").write_bytes(encode_png(np.hstack([one, two])))
    found = predict(run, [tmp_path], detect="haar")
    counts = Counter(p.path for p in found)
    assert max(counts.values()) == 2
    both = max(counts, key=counts.__getitem__)
    left, right = sorted(p.box[0] + p.box[2] / 2 for p in found if p.path == both)
    assert left < 200 < right
    assert tally(found)["pictures"] == len(counts) == len(portraits) ** 2


def test_a_large_picture_that_is_taken_for_a_face_is_counted_as_such(run, portraits, tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(portraits[0]))
    assert tally(predict(run, [tmp_path]), 48)["large"] == 1
    assert tally(predict(run, [tmp_path], detect="haar"), 48)["large"] == 0


def test_in_a_video_every_nth_frame_is_looked_at_with_its_time(run, portraits, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FERDATA_YUNET", raising=False)
    empty = np.full((200, 200, 3), 90, np.uint8)
    path = video(tmp_path / "f.avi", [portraits[0]] * 10 + [empty] * 11)
    found = predict(run, [path])
    assert [p.frame for p in found] == [0, 5, 10, 15, 20]
    assert [p.seconds for p in found] == pytest.approx([0, 0.5, 1, 1.5, 2], abs=0.01)
    assert [p.error for p in found] == [None, None, "no_face", "no_face", "no_face"]
    assert found[0].box is not None  # a frame is no crop: Haar looked, although the run was trained without
    assert len(predict(run, [path], every=2)) == 11
    assert {p.box for p in predict(run, [path], every=10, detect="none")} == {None}
    with pytest.raises(BadOption, match="--every is 0"):
        predict(run, [path], every=0)


@pytest.fixture
def passing(portraits, tmp_path):
    """Return a video of one face that is hidden for 3 frames, then for 12, at 10 a second."""
    empty = np.full_like(portraits[0], 90)
    shown = [True] * 5 + [False] * 3 + [True] * 3 + [False] * 12 + [True] * 2
    return video(tmp_path / "passing.avi", [portraits[0] if here else empty for here in shown])


def test_a_face_of_a_video_is_followed_under_one_number_until_it_is_gone_for_a_second(run, passing, tmp_path):
    found = predict(run, [passing], detect="haar", every=1, track=True, out=tmp_path / "t.parquet")
    expected = [1] * 5 + [None] * 3 + [1] * 3 + [None] * 12 + [2] * 2
    assert [p.track for p in found] == expected
    assert [p.label is None for p in found] == [track is None for track in expected]
    assert pq.read_table(tmp_path / "t.parquet")["track"].to_pylist() == expected
    assert pq.read_schema(tmp_path / "t.parquet").field("track").type == "int64"
    assert tally(found)["tracks"] == 2
    alone = predict(run, [passing], detect="haar", every=1)
    assert {p.track for p in alone} == {None}
    assert [(p.box, p.probabilities) for p in alone] == [(p.box, p.probabilities) for p in found]


def test_each_video_has_numbers_of_its_own_and_pictures_have_none(run, portraits, passing, tmp_path):
    other = video(tmp_path / "other.avi", [portraits[1]] * 2)
    (tmp_path / "a.png").write_bytes(encode_png(portraits[2]))
    found = predict(run, [passing, tmp_path / "a.png", other], detect="haar", every=20, track=True)
    assert [(p.path.name, p.track) for p in found] == [
        ("passing.avi", 1), ("passing.avi", None), ("a.png", None), ("other.avi", 1)]  # fmt: skip
    assert tally(found)["tracks"] == 2


def test_options_of_videos_are_refused_where_they_do_nothing(run, pictures, passing):
    with pytest.raises(BadOption, match="--track follows faces through videos, and no video is named"):
        predict(run, [pictures], track=True)
    with pytest.raises(BadOption, match="--detect none finds none"):
        predict(run, [passing], detect="none", track=True)
    with pytest.raises(BadOption, match="--every chooses frames of videos, and no video is named"):
        predict(run, [pictures], every=5)


def test_the_command_shows_the_numbers(ferdata, run, passing, tmp_path):
    ran = ferdata("predict", run, passing, "--detect", "haar", "--every", "1", "--track", "-o", "t.csv")
    assert ran.code == 0, ran
    assert "track" in ran.out.splitlines()[0]
    assert "faces     10 in 2 tracks: 10 " in ran.out
    with (tmp_path / "t.csv").open(newline="") as file:
        assert [row["track"] for row in csv.DictReader(file)] == ["1"] * 5 + [""] * 3 + ["1"] * 3 + [""] * 12 + [
            "2"
        ] * 2
    told = json.loads(ferdata("predict", run, passing, "--detect", "haar", "--track", "--json").out)
    assert [row["track"] for row in told] == [1, None, 1, None, None]
    plain = ferdata("predict", run, passing, "--detect", "haar")
    assert "track" not in plain.out
    assert ferdata("predict", run, tmp_path / "nothing.png", "--track").code == 1
    refused = ferdata("predict", run, "--serve", "--track")
    assert (refused.code, "--track: the page takes no video file" in refused.err) == (2, True)


@pytest.mark.slow
def test_photographed_people_who_pass_each_other_keep_their_numbers(run, tmp_path):
    """One goes right, one left below, hidden in the middle of the video; a third enters where the first began."""
    data = real_data()
    with zipfile.ZipFile(data / "photos.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:120:40]
        people = [cv2.resize(decode(archive.read(name)), (200, 200)).reshape(200, 200, -1) for name in names]
    frames, truth = [], []
    for i in range(45):
        places = {0: (10 * i, 0), 1: (440 - 10 * i, 200)} | ({2: (0, 0)} if i >= 25 else {})
        if 20 <= i < 24:
            del places[1]
        frame = np.full((400, 640, 3), 110, np.uint8)
        for who, (x, y) in places.items():
            frame[y : y + 200, x : x + 200] = people[who]
        frames.append(frame)
        truth.append(places)
    found = predict(
        run, [video(tmp_path / "f.avi", frames)], detect="yunet", model=data / "models" / detectors.MODEL_NAME,
        every=1, track=True,
    )  # fmt: skip
    who_of = Counter()
    for p in found:
        x, y = p.box[0] + p.box[2] / 2, p.box[1] + p.box[3] / 2
        (who,) = [w for w, (left, top) in truth[p.frame].items() if 0 < x - left < 200 and 0 < y - top < 200]
        who_of[who, p.track] += 1
    assert who_of == {(0, 1): 45, (1, 2): 41, (2, 3): 20}


def test_videos_and_pictures_come_in_the_order_they_were_named(run, portraits, pictures, tmp_path):
    path = video(tmp_path / "f.avi", [portraits[0]] * 3)
    one, two = sorted(pictures.glob("*.png"))[:2]
    found = predict(run, [one, path, two])
    assert [p.path for p in found] == [one, path, two]
    assert [p.box is None for p in found] == [True, False, True]


def test_a_table_has_a_row_for_each_prediction_and_a_column_for_each_class(run, pictures, tmp_path):
    (pictures / "broken.png").write_bytes(b"")
    found = predict(run, [pictures], out=tmp_path / "t.parquet")
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["path"] for row in rows] == [str(p.path) for p in found]
    assert [row["label"] for row in rows] == [p.label for p in found]
    assert [row["p_fear"] for row in rows] == pytest.approx([p.probabilities.get("fear") for p in found])
    predict(run, [pictures], out=tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        told = list(csv.DictReader(file))
    assert [row["label"] or None for row in told] == [p.label for p in found]
    assert [row["error"] or None for row in told] == [p.error for p in found]


def test_a_pictures_name_is_no_formula_in_a_spreadsheet(run, pictures, tmp_path, monkeypatch):
    first = min(pictures.glob("*.png"))
    first.rename(pictures / "=cmd|' calc'!A0.png")
    (pictures / "@broken.png").write_bytes(b"")
    monkeypatch.chdir(pictures)
    found = predict(run, ["."], out=tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        told = [row["path"] for row in csv.DictReader(file)]
    assert told[:2] == ["'=cmd|' calc'!A0.png", "'@broken.png"]
    predict(run, ["."], out=tmp_path / "t.parquet")  # which is not opened as a spreadsheet
    assert pq.read_table(tmp_path / "t.parquet")["path"].to_pylist() == [str(p.path) for p in found]


def test_a_table_that_is_there_or_cannot_be_written_is_refused_before_the_work(run, pictures, tmp_path):
    (tmp_path / "t.csv").write_text("mine")
    with pytest.raises(AlreadyExists):
        predict(run, [pictures], out=tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "mine"
    predict(run, [pictures], out=tmp_path / "t.csv", force=True)
    assert (tmp_path / "t.csv").read_text() != "mine"
    with pytest.raises(BadOption, match=r"t\.xlsx"):
        predict(run, [pictures], out=tmp_path / "t.xlsx")
    with pytest.raises(CannotWrite):
        predict(run, [pictures], out=tmp_path / "t.csv" / "t.csv")


def test_another_size_and_colour_are_brought_to_the_models(run, tmp_path):
    big = cv2.resize(shape("surprise", 77), (200, 160))
    path = tmp_path / "big.png"
    path.write_bytes(encode_png(np.repeat(big[..., None], 3, 2)))
    assert predict(run, [path])[0].error is None


def test_an_empty_folder_is_said(run, tmp_path):
    with pytest.raises(BadOption, match="no picture"):
        predict(run, [tmp_path])


def test_a_folder_that_is_no_run_is_said(tmp_path, pictures):
    with pytest.raises(BrokenRun):
        predict(tmp_path, [pictures])


def test_trees_behind_a_net_predict_too(manifest_path, pictures, tmp_path):
    from zoo.training.train import train

    options = {"size": 32, "batch": 16, "epochs": 1, "device": "cpu"}
    run = train(manifest_path, tmp_path / "run", backbone="lenet5", head="xgboost", **options)
    found = predict(run, [pictures])
    assert all(sum(p.probabilities.values()) == pytest.approx(1, abs=1e-4) for p in found)


def test_the_command_prints_a_row_a_face_and_what_it_comes_to(ferdata, run, portraits, pictures, tmp_path):
    (tmp_path / "nobody.png").write_bytes(encode_png(np.full((80, 90), 120, np.uint8)))
    path = video(tmp_path / "f.avi", [portraits[0]] * 6)
    ran = ferdata("predict", run, tmp_path / "nobody.png", path, "--detect", "haar", "-o", "t.csv")
    assert ran.code == 0, ran
    label = ran.out.split()[ran.out.split().index("haar") - 2]
    assert ran.out.splitlines()[-5:] == [
        "pictures  1: 0 with a face, 1 without",
        "frames    2 of 1 video: 2 with a face, 0 without",
        f"faces     2: 2 {label}",
        "detector  haar",
        "table     t.csv",
    ]
    assert "0.50 s" in ran.out
    assert f"no face: {tmp_path / 'nobody.png'}" in ran.err
    assert (tmp_path / "t.csv").is_file()
    told = json.loads(ferdata("predict", run, path, "--json", "--every", "3").out)
    assert [row["frame"] for row in told] == [0, 3]
    large = tmp_path / "large.png"
    large.write_bytes(encode_png(portraits[0]))
    assert "If they are photographs, add --detect yunet" in ferdata("predict", run, large).err
    assert ferdata("predict", run).code == 2
    assert ferdata("predict", run, large, "--serve").code == 2


def test_pictures_and_faces_are_counted_apart(ferdata, run, portraits, tmp_path):
    for i, one in enumerate((*portraits, np.full((80, 90), 120, np.uint8))):
        (tmp_path / f"{i}.png").write_bytes(encode_png(one))
    both = next(
        two for i, one in enumerate(portraits) for other in portraits[i:]
        if len(detectors.make("haar")(two := np.hstack([one, other]))) == 2
    )  # fmt: skip
    (tmp_path / "both.png").write_bytes(encode_png(both))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    ran = ferdata("predict", run, tmp_path, "--detect", "haar")
    assert "pictures  6: 5 with a face, 1 without\n" in ran.out
    assert "\nfaces     6: " in ran.out
    assert "\nunread    1, in whole or in part\n" in ran.out


def test_the_command_says_which_detector_looked_at_what(ferdata, run, portraits, pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FERDATA_YUNET", raising=False)
    monkeypatch.delenv("FERDATA_CACHE", raising=False)
    path = video(tmp_path / "f.avi", [portraits[0]] * 2)

    def looked(*arguments):
        return re.search("^detector +(.*)$", ferdata("predict", run, *arguments).out, re.MULTILINE)[1]

    assert looked(pictures) == "none, each is one face crop"
    assert looked(path) == "haar"
    assert looked(pictures, path) == "haar in videos; in pictures none, each is one face crop"
    assert looked(pictures, path, "--detect", "haar") == "haar"
    assert looked(path, "--detect", "none") == "none, each is one face crop"


def test_a_broken_video_is_named_without_its_decoders_own_words(ferdata, run, pictures, portraits, tmp_path, capfd):
    data = video(tmp_path / "f.mp4", [portraits[0]] * 20, "mp4v").read_bytes()
    (tmp_path / "f.mp4").write_bytes(data[: len(data) // 2])
    ran = ferdata("predict", run, tmp_path / "f.mp4", pictures)
    assert re.fullmatch(f"not read: {tmp_path / 'f.mp4'}: .+\n", ran.err)
    assert capfd.readouterr().err == ""  # FFmpeg writes there, past Python


def test_a_table_never_replaces_a_manifest_or_a_runs_own_predictions(manifest_path, tmp_path):
    from zoo.deploy.predict import _check_table

    before = manifest_path.read_bytes()
    with pytest.raises(AlreadyExists, match="even with --force"):
        _check_table(manifest_path, force=True)
    assert manifest_path.read_bytes() == before
    junk = tmp_path / "junk.parquet"
    junk.write_bytes(b"no table")
    _check_table(junk, force=True)


def test_pictures_are_labelled_in_the_memory_that_there_is(pictures, tmp_path, monkeypatch):
    run = untaught(tmp_path / "run", None, "greedy", size=32)
    whole = predict(run, [pictures], device="cpu")
    monkeypatch.setattr(Greedy, "scores", 3)
    assert [p.label for p in predict(run, [pictures], device="cpu")] == [p.label for p in whole]
    for limit, words in (("scores", "to score a single image of 32 px"), ("fits", "for greedy at 32 px")):
        monkeypatch.setattr(Greedy, limit, 0)
        with pytest.raises(BadOption, match=words) as error:
            predict(run, [pictures], device="cpu")
        assert "--batch" not in str(error.value)
