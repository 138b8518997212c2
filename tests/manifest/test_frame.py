"""A manifest as a DataFrame and back: nothing lost on the way, and nothing written that is no manifest."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferdata import Manifest, from_frame, to_frame, validate
from ferdata.errors import AlreadyExists, BadOption, NotAManifest, UnknownLabel
from ferdata.schema import COLUMNS
from tests.conftest import MakeManifest

ALIGNED = {
    "detector": "yunet",
    "score": 0.75,
    "faces": 2,
    "box": [1.0, 2.0, 30.0, 40.0],
    "landmarks": None,
    "transform": [1.0, 0.0, 0.5, 0.0, 1.0, 0.25],
    "pixel_hash": "0" * 32,
}


@pytest.fixture
def path(make_manifest: MakeManifest) -> Path:
    """Return a manifest in which every kind of column is somewhere set and somewhere missing."""
    return make_manifest(
        {"native_label": "fear", "subject": "S1", "group": 2**60 + 1, "picture": 0, "split": "train", "issues": []},
        {"votes": [8, 0, 2, 0, 0, 0, 0, 0, 0, 0], "group": 1, "picture": 1, "frame": 7, "face_box": [0, 0, 4, 4]},
        {"native_label": "anger", "alignment": ALIGNED, "landmarks": [1.5, 2.5], "valence": -0.1, "group": 2},
        {"ratings": [1.0, 4.5, None, 1, 1, 1, 1, 2], "action_units": [{"au": "AU1", "intensity": None}], "fold": 3},
        {"native_label": "fear", "reviewed_label": "surprise", "review": {"by": "me", "at": "now"}, "issues": ["dark"]},
    )


def changed(written: Manifest) -> list[str]:
    (step,) = written.metadata["lineage"]
    columns: list[str] = step["options"]["columns"]
    return columns


@pytest.mark.parametrize("columns", [(), ("image",), tuple(c.name for c in COLUMNS)], ids=["most", "image", "all"])
def test_an_unchanged_frame_is_the_same_manifest(path: Path, tmp_path: Path, columns: tuple[str, ...]) -> None:
    opened = Manifest(path)
    written = from_frame(to_frame(opened, *columns), like=opened, out=tmp_path / "again.parquet")
    assert written.fingerprint == opened.fingerprint
    assert changed(written) == []
    everything = [c.name for c in COLUMNS]
    assert written.table(*everything).equals(opened.table(*everything))
    assert written.metadata["counts"] == opened.metadata["counts"]


def test_a_frame_that_went_through_plain_python_is_the_same_manifest_too(path: Path, tmp_path: Path) -> None:
    """Structs as dicts, lists as lists, missing values as None: what a notebook makes of columns that it builds."""
    frame = to_frame(path, *(c.name for c in COLUMNS))
    plain = pd.DataFrame(
        {name: pd.Series([None if v is pd.NA else v for v in frame[name]], frame.index, object) for name in frame}
    )
    written = from_frame(plain, like=path, out=tmp_path / "again.parquet")
    assert (written.fingerprint, changed(written)) == (Manifest(path).fingerprint, [])


def test_the_frame_has_what_was_asked_for_by_sample_id(path: Path) -> None:
    frame = to_frame(path, "label", "group")
    assert list(frame.columns) == ["label", "group"]
    assert frame.loc["made:0000", "group"] == 2**60 + 1  # not through a float, which would lose the 1
    assert frame["label"].value_counts()["fear"] == 2
    assert "image" not in to_frame(str(path))
    assert to_frame(path, "image")["image"].iloc[0]["bytes"].startswith(b"\x89PNG")


def test_rows_that_were_dropped_or_sorted_are_found_by_their_id(path: Path, tmp_path: Path) -> None:
    frame = to_frame(path, "label", "subject").sort_index(ascending=False)
    frame = frame[frame["label"].notna()].drop(index="made:0002")
    frame.loc["made:0004", "subject"] = "S9"
    written = from_frame(frame.reset_index(), like=path, out=tmp_path / "some.parquet")
    assert written.table("sample_id", "subject", "split").to_pylist() == [
        {"sample_id": "made:0000", "subject": "S1", "split": "train"},
        {"sample_id": "made:0001", "subject": None, "split": None},
        {"sample_id": "made:0004", "subject": "S9", "split": None},
    ]
    assert changed(written) == ["subject"]
    (step,) = written.metadata["lineage"]
    assert (step["step"], step["rows_in"], step["rows_out"]) == ("from_frame", 5, 3)
    assert step["inputs"][0]["fingerprint"] == Manifest(path).fingerprint
    assert step["inputs"][0]["rows"] == 5


def test_a_corrected_label_is_derived_anew(make_manifest: MakeManifest, tmp_path: Path) -> None:
    path = make_manifest({"native_label": "fear"}, {"native_label": "fear"}, {"native_label": "anger"})
    frame = to_frame(path, "reviewed_label")
    frame["reviewed_label"] = ["surprise", np.nan, "not_a_face"]
    written = from_frame(frame, like=path, out=tmp_path / "mine.parquet")
    assert written.table("target")["target"].to_pylist() == ["surprise", "fear", None]
    assert written.table("label")["label"].to_pylist() == ["fear", "fear", "anger"]
    assert validate(written.path) == 3
    with pytest.raises(UnknownLabel):
        from_frame(frame.assign(native_label="bliss"), like=path, out=tmp_path / "other.parquet")


def test_numbers_may_be_of_another_width_and_text_a_category(path: Path, tmp_path: Path) -> None:
    frame = to_frame(path, "subject").assign(
        subject=pd.Categorical(["S1", "S2", None, "S1", "S2"]),
        fold=[0.0, 1.0, np.nan, 3.0, 4.0],
        valence=np.array([1, 0, 1, 0, 1]),
        synthetic=True,
        landmarks=[np.array([1, 2]), None, None, None, None],
        review=[{"note": "seen"}, None, None, None, None],
    )
    written = from_frame(frame, like=path, out=tmp_path / "wide.parquet").table(*frame.columns)
    assert written["subject"].to_pylist() == ["S1", "S2", None, "S1", "S2"]
    assert written["fold"].to_pylist() == [0, 1, None, 3, 4]
    assert written["valence"].to_pylist() == [1, 0, 1, 0, 1]
    assert written["landmarks"][0].as_py() == [1, 2]
    assert written["review"][0].as_py() == {"by": None, "at": None, "note": "seen", "status": None}


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("frame", 1.5, "1.5"),
        ("frame", "7", "but must be int32"),
        ("fold", 70_000, "70000"),
        ("phash", -1, "-1"),
        ("phash", 2.0**60, "converted to floats"),
        ("subject", 7, "but must be string"),
        ("synthetic", 1, "but must be bool"),
        ("synthetic", None, "5 values are missing"),
        ("split", "Training", "'Training', which is not one of train, val, test"),
        ("reviewed_label", "hapiness", "'hapiness', which is not one of neutral"),
        ("issues", "dark", "but must be list"),
        ("votes", [1, 2, 3], "not every list in it has 10 values"),
        ("votes", [0.5] * 10, "0.5"),
        ("review", {"who": "me"}, "but must be struct"),
        ("review", "me", "but must be struct"),
        ("subject", object(), "object"),
    ],
)
def test_a_column_of_another_kind_is_refused_with_what_is_wrong(
    path: Path, tmp_path: Path, column: str, value: Any, said: str
) -> None:
    frame = to_frame(path, "label")
    frame[column] = pd.Series([value] * len(frame), index=frame.index)
    with pytest.raises(BadOption) as refused:
        from_frame(frame, like=path, out=tmp_path / "not.parquet")
    assert refused.value.message.startswith(f"Column {column!r} cannot be written: ")
    assert said in refused.value.message
    assert not (tmp_path / "not.parquet").exists()


def test_a_frame_whose_rows_or_columns_nobody_knows_is_refused(path: Path, tmp_path: Path) -> None:
    frame, out = to_frame(path, "target", "subject"), tmp_path / "not.parquet"
    wrong = {
        "no column 'guess'": frame.assign(guess=1),
        "has no sample_id": frame.reset_index(drop=True),
        "'made:0000' occurs twice": pd.concat([frame, frame]),
        "1 rows are not in": frame.rename(index={"made:0001": "made:0099"}),
        "'target' differs": frame.assign(target="fear"),
        "'subject' occurs twice": pd.concat([frame, frame[["subject"]]], axis=1),
    }
    for said, each in wrong.items():
        with pytest.raises(BadOption, match=said):
            from_frame(each, like=path, out=out)
    assert not out.exists()
    with pytest.raises(BadOption, match="no column 'guess'"):
        to_frame(path, "guess")
    with pytest.raises(NotAManifest):
        to_frame(tmp_path / "none.parquet")


def test_the_manifest_itself_and_what_is_there_are_not_written_over(path: Path, tmp_path: Path) -> None:
    frame, out = to_frame(path), tmp_path / "there.parquet"
    from_frame(frame, like=path, out=out)
    with pytest.raises(AlreadyExists):
        from_frame(frame, like=path, out=out)
    assert from_frame(frame, like=path, out=out, force=True).rows == 5
    with pytest.raises(AlreadyExists, match="is an input"):
        from_frame(frame, like=path, out=path, force=True)


def test_a_root_is_relative_to_the_manifest_that_names_it(path: Path, tmp_path: Path) -> None:
    from ferdata.manifest import write

    opened = Manifest(path)
    sources = {"made": opened.sources["made"] | {"root": "faces"}}
    away = tmp_path / "away.parquet"
    write(away, opened.batches(), {**opened.metadata, "sources": sources})
    written = from_frame(to_frame(away, "label"), like=away, out=tmp_path / "deep" / "er" / "copy.parquet")
    assert written.roots() == Manifest(away).roots() == {"made": tmp_path / "faces"}


def test_pandas_is_loaded_by_who_asks_for_a_frame_alone() -> None:
    code = (
        "import sys, ferdata; from ferdata import Manifest; before = 'pandas' in sys.modules; "
        "ferdata.to_frame; sys.exit(before or 'pandas' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
