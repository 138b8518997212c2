"""Faces of a known official test in train: told by merge, train and audit, and not where that test is here itself."""

import json

import numpy as np
import pyarrow as pa
import pytest

from ferdata.known import contaminated, index
from ferdata.steps.ingest import ingest
from ferdata.steps.known import add
from ferdata.steps.merge import merge
from tests.fakes import face, save
from tests.known.test_lookup import TEST, TRAIN
from tests.known.test_lookup import index as index_of


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(index.VARIABLE, str(tmp_path / "known"))


def table(rows):
    pixels, phash = zip(*rows, strict=True)
    return pa.table({"pixel_hash": [f"{p:016x}{0:016x}" for p in pixels], "phash": pa.array(phash, pa.uint64())})


def test_rows_of_train_that_are_known_test_faces_are_counted():
    known = [index_of([(7, 0xFF, TEST), (8, 0xFF00, TRAIN)], "far")]
    found = contaminated(table([(7, 0), (8, 0), (9, 0xFF0000), (7, 0)]), np.array([True, True, True, False]), (), known)
    assert found.rows.tolist() == [True, False, False, False]
    assert found.counts == {"FAR": 1}


def test_of_a_picture_that_stands_in_both_the_row_that_is_not_of_train_is_that_of_test():
    known = [index_of([(7, 0xFF, TEST), (7, 0xFF, TRAIN)], "far")]
    assert contaminated(table([(7, 0), (7, 0)]), np.array([True, False]), (), known).counts == {}
    assert contaminated(table([(7, 0)]), np.array([True]), (), known).counts == {"FAR": 1}


def test_a_dataset_that_is_here_itself_is_passed_over(tmp_path):
    assert contaminated(table([(7, 0)]), np.array([True]), ("fer2013",)).counts == {}


@pytest.fixture
def mixed(tmp_path):
    """A set of no splits that holds two faces of another's test; that other one is known."""
    for split, seeds in {"train": range(8), "test": (8, 9)}.items():
        for seed in seeds:
            save(tmp_path / "there" / split / ("happy", "sad")[seed % 2] / f"{seed}.png", face(seed))
    add(
        ingest(
            "folder", root=tmp_path / "there", name="there", out=tmp_path / "there.parquet", workers=1, known="off"
        ).out
    )
    for seed in (*range(8, 10), *range(20, 60)):
        save(tmp_path / "here" / "train" / ("happy", "sad")[seed % 2] / f"im{seed}.png", face(seed))
    for seed in range(60, 70):
        save(tmp_path / "here" / "test" / ("happy", "sad")[seed % 2] / f"im{seed}.png", face(seed))
    return ingest("folder", root=tmp_path / "here", name="here", out=tmp_path / "here.parquet", workers=1).out


def test_merge_counts_it_and_audit_can_refuse_it(mixed, ferdata, tmp_path):
    merged = merge(mixed, out=tmp_path / "merged.parquet")
    left = 2 - merged.decided.parts["here"].val  # one of them may have been drawn into val
    said = ferdata("merge", mixed, "-o", tmp_path / "again.parquet")
    assert sum(merged.contaminated.values()) >= max(left, 1)
    assert "rows of train are faces of there's official test" in " ".join(said.out.split())
    refused = ferdata("audit", tmp_path / "merged.parquet", "--fail-on", "contaminated")
    assert refused.code == 3
    assert "contaminated" in refused.out + refused.err


QUICK = ("--size", 32, "--batch", 8, "--epochs", 1, "--device", "cpu", "--select", "last")


def test_train_says_it_and_the_report_keeps_it(mixed, ferdata, tmp_path):
    ran = ferdata("train", "--manifest", mixed, "-o", "run", *QUICK)
    assert ran.code == 0, ran
    notes = json.loads((tmp_path / "run/report.json").read_text())["protocol"]["notes"]
    assert any("faces of there's official test" in note for note in notes)


def test_where_that_dataset_is_in_the_manifest_itself_nothing_is_said(mixed, tmp_path):
    both = merge(mixed, tmp_path / "there.parquet", out=tmp_path / "both.parquet")
    assert both.contaminated == {}


def test_stats_and_the_models_card_say_it_too(mixed, ferdata, tmp_path):
    merge(mixed, out=tmp_path / "merged.parquet")
    assert "there's official test" in " ".join(ferdata("stats", tmp_path / "merged.parquet").out.split())
    ran = ferdata("train", "--manifest", tmp_path / "merged.parquet", "-o", "run", *QUICK)
    assert ran.code == 0, ran
    assert "there's official test" in (tmp_path / "run/card.md").read_text()


def test_pieces_of_a_large_manifest_come_to_the_same(monkeypatch):
    known = [index_of([(7, 0xFF, TEST), (7, 0xFF, TRAIN), (8, 0xFF00, TEST)], "far")]
    rows, train = table([(7, 0), (8, 0), (9, 1 << 40), (7, 0)]), np.array([True, True, True, False])
    whole = contaminated(rows, train, (), known)
    monkeypatch.setattr("ferdata.known.contamination.AT_ONCE", 1)
    assert contaminated(rows, train, (), known).rows.tolist() == whole.rows.tolist() == [False, True, False, False]
