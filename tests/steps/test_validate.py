"""Validate: each rule is tripped on purpose, and all failures are told at once."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata import images, manifest
from ferdata.errors import FerdataWarning, InvalidManifest
from ferdata.schema import BY_NAME, arrow_type
from ferdata.steps.validate import validate
from tests.conftest import MakeManifest, make_rows, metadata_of

Change = Callable[..., Path]


@pytest.fixture
def changed(tmp_path: Path) -> Change:
    """Return a function that writes two rows with columns replaced behind the derivation's back."""

    def write(**columns: list) -> Path:
        batch = make_rows([{"native_label": "fear"}, {"native_label": "anger"}])
        for name, values in columns.items():
            column = pa.array(values, arrow_type(BY_NAME[name]))
            batch = batch.set_column(batch.schema.get_field_index(name), name, column)
        path = tmp_path / "m.parquet"
        manifest.write(path, [batch], metadata_of(make_rows([{}])), force=True)
        return path

    return write


BROKEN = [
    ({"sample_id": ["made:1", "made:1"]}, "sample_id is not unique"),
    ({"sample_id": ["made:1", "other:2"]}, "does not begin with its dataset"),
    ({"sample_id": ["made:1", None]}, "sample_id is null"),
    ({"label": ["fear", "sadness"]}, "label does not follow from the label map"),
    ({"label": ["fear", "happy"]}, "label is not one of"),
    ({"target": ["fear", None]}, "target does not follow"),
    ({"official_split": ["train", "validation"]}, "official_split is not one of"),
    ({"valence": [0.0, 1.5]}, "valence is outside"),
    ({"width": [48, 0]}, "width is outside"),
    ({"pixel_hash": ["x", "0" * 32]}, "not 32 hexadecimal"),
    ({"votes": [None, [1, 2]]}, "votes does not hold 10"),
    ({"votes": [None, [-1, 2, 3, 0, 0, 0, 0, 0, 0, 0]]}, "negative"),
    ({"label_dist": [None, [0.5] * 8]}, "does not sum to 1"),
    ({"group": [0, 0], "split": ["train", "test"]}, "more than one split"),
    ({"group": [0, 1], "split": ["train", None]}, "without a split_reason"),
    ({"group": [0, 0], "fold": [0, 1]}, "is in more than one fold"),
    ({"split_reason": ["capped", "because"]}, "split_reason is not one of"),
    ({"proposed_label": ["anger", "happy"], "split": ["train", "train"]}, "proposed_label is not one of"),
    ({"proposed_label": ["anger", None], "split": ["test", "train"]}, "proposed_label is set outside train"),
    ({"picture": [0, -1]}, "picture is outside"),
    ({"image": [{"bytes": None, "path": "../x.png"}, {"bytes": None, "path": "a/b..png"}]}, "leads outside its root"),
    ({"image": [{"bytes": b"x", "path": None}, {"bytes": None, "path": None}]}, "neither bytes nor a path"),
]


def test_a_sound_manifest_passes(changed: Change) -> None:
    assert validate(changed(), images=True) == 2


@pytest.mark.parametrize(("columns", "message"), BROKEN, ids=[m for _, m in BROKEN])
def test_every_rule_can_fail(changed: Change, columns: dict[str, list], message: str) -> None:
    with pytest.raises(InvalidManifest, match=message):
        validate(changed(**columns))


def test_all_failures_are_told_at_once_with_their_first_rows(changed: Change) -> None:
    path = changed(valence=[2.0, 3.0], width=[0, 48], official_split=["no", None])
    with pytest.raises(InvalidManifest) as caught:
        validate(path)
    assert "breaks 3 rule(s)" in caught.value.message
    assert "valence is outside -1..1 (2 rows, first made:0000, made:0001)" in caught.value.message


def test_rows_changed_by_another_program_are_noticed(changed: Change) -> None:
    path = changed()
    table = pq.read_table(path)
    subject = pa.array(["S1", "S2"])
    meta = pq.ParquetFile(path).metadata.metadata
    edited = table.set_column(table.schema.get_field_index("subject"), "subject", subject)
    pq.write_table(edited.replace_schema_metadata({"ferdata": meta[b"ferdata"]}), path)
    with pytest.raises(InvalidManifest, match="do not match the fingerprint"):
        validate(path)


def test_a_missing_column_and_a_strange_one_are_named(changed: Change) -> None:
    path = changed()
    meta = json.loads(pq.ParquetFile(path).metadata.metadata[b"ferdata"])
    table = pq.read_table(path).drop_columns(["phash"]).append_column("mood", pa.array(["a", "b"]))
    pq.write_table(table.replace_schema_metadata({"ferdata": json.dumps(meta)}), path)
    with pytest.raises(InvalidManifest) as caught:
        validate(path)
    assert "'phash' is missing" in caught.value.message
    assert "'mood' is not in the schema" in caught.value.message


def test_an_image_that_is_another_or_gone_is_found(changed: Change, make_manifest: MakeManifest) -> None:
    other = make_rows([{"seed": 8}]).column("image").to_pylist()[0]
    path = changed(image=[other, {"bytes": b"broken", "path": None}])
    with pytest.raises(InvalidManifest) as caught:
        validate(path, images=True)
    assert "not the one that was ingested (1 rows, first made:0000)" in caught.value.message
    assert "says where a dataset is now (1 rows, first made:0001)" in caught.value.message
    assert validate(path) == 2  # without reading them, nothing is known


def bright(side: int) -> dict[str, object]:
    """Return the columns of a row whose picture is of one light shade."""
    facts = images.measure(np.full((side, side), 250, np.uint8))
    return {name: getattr(facts, name) for name in ("width", "height", "brightness", "contrast")}


def test_what_a_version_with_wrong_sums_has_measured_is_named_where_they_may_be_wrong(changed: Change) -> None:
    rows = [bright(350), bright(100)]
    path = changed(**{name: [row[name] for row in rows] for name in rows[0]})
    assert validate(path) == 2  # measured by this version
    as_measured_by(path, None)
    with pytest.raises(InvalidManifest) as caught:
        validate(path)
    assert "contrast may be wrong" in caught.value.message
    assert "ingest made again" in caught.value.message
    assert "(1 rows, first made:0000)" in caught.value.message


def test_a_dark_picture_and_one_that_never_overflowed_need_not_be_measured_again(changed: Change) -> None:
    dark = {**bright(350), "brightness": 0.2}
    path = changed(**{name: [row[name] for row in (dark, bright(181))] for name in dark})
    as_measured_by(path, None)
    assert validate(path) == 2


def as_measured_by(path: Path, version: int | None) -> None:
    """Have a manifest say that `version` has measured its rows; None: nothing at all, as the first one did."""
    opened = manifest.Manifest(path)
    for source in opened.metadata["sources"].values():
        source.pop("measured", None)
        if version is not None:
            source["measured"] = version
    manifest.write(path, list(opened.batches()), opened.metadata, force=True)


def test_a_manifest_from_before_labels_were_proposed_is_as_sound_as_it_was(changed: Change) -> None:
    path = changed()
    table = pq.read_table(path).drop_columns("proposed_label")
    pq.write_table(table.replace_schema_metadata({manifest.KEY: pq.read_metadata(path).metadata[manifest.KEY]}), path)
    assert "proposed_label" not in pq.read_schema(path).names
    with pytest.warns(FerdataWarning, match="not protected by checksums"):
        assert validate(path) == 2
    assert manifest.Manifest(path).table("proposed_label")["proposed_label"].null_count == 2
