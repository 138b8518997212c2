"""MMI: which frame of a video, from which view, under which label; hostile XML and damaged videos."""

import random

import pytest

from ferdata.errors import FerdataError, UnknownLabel
from ferdata.schema import Frame
from ferdata.sources.left_out import NOTES
from ferdata.steps.ingest import ingest
from tests.adapters.test_contract import left_out_alone, read
from tests.fakes import mmi


def by_session(tmp_path, **options):
    found = {}
    for sample in read("mmi", tmp_path, **options)[2]:
        found.setdefault(sample.sequence, []).append(sample)
    return found


def test_the_apex_is_where_the_markers_put_it_and_else_the_middle(tmp_path):
    mmi.one(tmp_path)
    found = by_session(tmp_path)
    (marked,), (unmarked,) = found["1"], found["2"]
    assert (marked.frame, marked.image) == (8, Frame("1/S001-001.avi", 7))
    assert marked.action_units == (("AU12", None), ("AU25", None))
    assert (unmarked.frame, unmarked.image) == (8, Frame("2/S001-002.AVI", 7))
    assert unmarked.action_units is None
    assert (marked.subject, marked.native_label, unmarked.native_label) == ("S001", "1", "4")


def test_markers_that_name_no_apex_still_give_the_middle_of_what_they_span(tmp_path):
    mmi.one(tmp_path)
    path = tmp_path / "Sessions/1/S001-001-oao_aucs.xml"
    path.write_text('<a><ActionUnit Number="4"><Marker Frame="3"/><Marker Frame="7"/></ActionUnit></a>')
    (sample,) = by_session(tmp_path)["1"]
    assert (sample.frame, sample.action_units) == (5, (("AU4", None),))


def test_the_middle_third_and_the_first_frame_are_taken_where_asked_for(tmp_path):
    mmi.one(tmp_path)
    assert [s.frame for s in by_session(tmp_path, frames="middle-third")["2"]] == [6, 7, 8, 9, 10]
    assert [s.frame for s in by_session(tmp_path, frames="middle-third", every="2")["2"]] == [6, 8, 10]
    first = by_session(tmp_path, frames="first-neutral")
    assert [(s.frame, s.native_label) for s in first["2"]] == [(1, "first frame"), (8, "4")]
    assert [s.frame for s in first["501"]] == [8]  # without an emotion nothing says that it begins neutral


def test_action_units_are_those_of_the_frame(tmp_path):
    mmi.one(tmp_path)
    units = [s.action_units for s in by_session(tmp_path, frames="first-neutral")["1"]]
    assert units == [(), (("AU12", None), ("AU25", None))]


def test_profiles_are_left_out_and_counted_unless_asked_for(tmp_path):
    mmi.one(tmp_path)
    assert [(s.key, s.reason) for s in read("mmi", tmp_path)[3]] == [
        ("32/S002-002", "view 1, taken to be a profile"),
        ("2002", "a session without a video or an image"),
    ]
    assert "32" in by_session(tmp_path, views="all")
    found = by_session(tmp_path, views="front-only")
    assert "31" not in found
    assert "1999" in found  # its view is not told


def test_the_half_of_a_dual_view_is_cut_where_asked_for(tmp_path):
    mmi.one(tmp_path)
    (whole,), (half,) = by_session(tmp_path)["31"], by_session(tmp_path, dual="right")["31"]
    assert whole.image.part == (0, 0, 1, 1)
    assert half.image.part == (0.5, 0, 0.5, 1)
    assert by_session(tmp_path, dual="right")["2"][0].image.part == (0, 0, 1, 1)
    done = ingest("mmi", root=tmp_path / "Sessions", out=tmp_path / "m.parquet", dual="right")
    assert done.rows == 8


def test_only_frontal_videos_without_markers_are_turned(tmp_path):
    mmi.one(tmp_path)
    found = by_session(tmp_path, turn="1")
    assert {number: found[number][0].image.turn for number in ("1", "2", "31")} == {"1": 0, "2": 1, "31": 0}


def test_a_code_beyond_the_six_is_other_and_no_code_is_no_label(tmp_path):
    mmi.one(tmp_path)
    layout, _, samples, _ = read("mmi", tmp_path)
    assert layout.labels["13"] == "other"
    assert [s.sequence for s in samples if s.native_label is None] == ["501"]


def test_a_code_that_is_no_number_is_refused_by_name(tmp_path):
    mmi.one(tmp_path / "d")
    mmi.session(tmp_path / "d/Sessions/2", "S001-002", "0", "joy")
    with pytest.raises(UnknownLabel, match="'joy'"):
        ingest("mmi", root=tmp_path / "d", out=tmp_path / "m.parquet")


def test_stills_are_rows_of_their_own(tmp_path):
    mmi.one(tmp_path)
    assert [(s.key, s.image, s.native_label) for s in by_session(tmp_path)["2001"]] == [
        ("2001/S005-001.jpg", "2001/S005-001.jpg", "3"),
        ("2001/S005-002.png", "2001/S005-002.png", "3"),
    ]


def test_a_session_of_two_downloads_is_read_once(tmp_path):
    mmi.downloads(tmp_path)
    skipped = [s for s in read("mmi", tmp_path)[3] if s.reason.startswith("session of another download")]
    assert [s.key for s in skipped] == ["mmi-facial-expression-database_download_2021-01-02_09_00_00/Sessions/1"]


BOMB = '<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize("name", ["session.xml", "S001-001.xml", "S001-001-oao_aucs.xml"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BOMB.encode(), r"a DOCTYPE \(a\)"),
        (f'<?xml version="1.0" encoding="UTF-16"?>{BOMB}'.encode("utf-16"), r"a DOCTYPE \(a\)"),
        (b"<Session><Metatag", "unclosed token"),
        (b"", "no element found"),
    ],
)
def test_damaged_and_hostile_xml_costs_its_own_session_and_is_named(tmp_path, name, data, said):
    mmi.one(tmp_path)
    (tmp_path / "Sessions/1" / name).write_bytes(data)
    alone = left_out_alone("mmi", tmp_path, rf"{name}: .*{said}")
    assert [row.key for row in alone] == ["1/S001-001.avi"]


@pytest.mark.parametrize("frame", ["0", "-3", "x", "9" * 5000])
def test_a_marker_at_no_frame_costs_its_own_video(tmp_path, frame):
    mmi.one(tmp_path)
    path = tmp_path / "Sessions/1/S001-001-oao_aucs.xml"
    path.write_text(path.read_text().replace('Frame="6"', f'Frame="{frame}"'))
    left_out_alone("mmi", tmp_path, f"a marker at frame '{frame[:9]}")


def test_a_cut_video_costs_its_own_frames_and_an_empty_one_is_counted(tmp_path):
    mmi.one(tmp_path / "d")
    path = tmp_path / "d/Sessions/2/S001-002.AVI"
    (tmp_path / "d/Sessions/500/S003-001.avi").write_bytes(b"RIFF")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = ingest("mmi", root=tmp_path / "d", out=tmp_path / "m.parquet")
    lost = done.rejected.get("broken image", 0) + done.rejected["a video that cannot be read"]
    assert lost == 2
    assert done.rows == 6


def test_whatever_is_done_to_a_file_no_other_error_than_the_houses_own_comes_out(tmp_path):
    mmi.one(tmp_path)
    rng = random.Random(0)
    files = sorted(path for path in tmp_path.rglob("*.xml") if path.is_file())
    outcomes = set()
    for _ in range(80):
        path = rng.choice(files)
        whole = path.read_bytes()
        at = rng.randrange(len(whole) + 1)
        junk = rng.choice((b"\xff", b"<", b"&x;", b"\0", b"<!DOCTYPE a>", b"9" * 20, b"-"))
        path.write_bytes(whole[:at] + junk + (whole[at + rng.randrange(4) :] if rng.random() < 0.8 else b""))
        try:
            skipped = read("mmi", tmp_path)[3]
            outcomes.add("left out" if NOTES in {row.reason for row in skipped} else "read")
        except FerdataError:
            outcomes.add("refused")
        path.write_bytes(whole)
    assert outcomes == {"read", "left out"}


def test_a_session_without_its_session_xml_is_left_out_by_name_with_all_that_is_in_it(tmp_path):
    mmi.one(tmp_path)
    (tmp_path / "Sessions/2001/session.xml").unlink()
    (tmp_path / "Sessions/77").mkdir()
    reasons = {row.key: row.reason for row in read("mmi", tmp_path)[3]}
    assert reasons["2001/S005-001.jpg"] == "in a folder without session.xml"
    assert reasons["2001/S005-002.png"] == "in a folder without session.xml"
    assert reasons["77"] == "a folder without session.xml"
