"""Columns: what publishers say is published for those rows alone whose terms allow it, and never a reviewer's name."""

from pathlib import Path

import pyarrow as pa
import pytest

from ferdata import manifest
from ferdata.manifest import Manifest
from ferdata.publishing.columns import open_datasets, present, stream, suffix
from ferdata.publishing.terms import of_sources
from tests.conftest import make_rows, metadata_of

VOTES = [0, 10, 0, 0, 0, 0, 0, 0, 0, 0]


@pytest.fixture
def mixed(tmp_path: Path) -> Manifest:
    """Return a manifest of an open and a closed dataset, both with votes; the closed one alone names people."""
    review = {"by": "Ada", "at": "2026-01-01", "note": "", "status": "relabelled"}
    batch = make_rows(
        [
            {"dataset": "open", "votes": VOTES, "split": "train"},
            {"dataset": "shut", "votes": VOTES, "split": "test", "subject": "S1", "review": review},
        ]
    )
    metadata = metadata_of(batch)
    metadata["sources"]["shut"]["redistribution"] = False
    manifest.write(tmp_path / "mixed.parquet", [batch], metadata)
    return Manifest(tmp_path / "mixed.parquet")


def test_votes_of_a_closed_dataset_stay_with_its_publishers(mixed: Manifest) -> None:
    terms = of_sources(mixed)
    names = present(mixed, terms)
    rows = pa.concat_tables(each.table for each in stream(mixed, names, open_datasets(terms), None))
    assert dict(zip(rows["dataset"].to_pylist(), rows["votes"].to_pylist(), strict=True)) == {
        "open": VOTES,
        "shut": None,
    }
    assert rows["label"].to_pylist() == [1, 1]


def test_columns_that_hold_nothing_to_be_passed_on_are_left_out(mixed: Manifest) -> None:
    names = present(mixed, of_sources(mixed))
    assert "votes" in names
    assert not {"subject", "valence", "review", "ratings"} & set(names)


def test_each_row_goes_to_its_split_by_the_hubs_name(mixed: Manifest) -> None:
    found = {each.split: list(each.numbers) for each in stream(mixed, ("sample_id",), set(), None)}
    assert found == {"train": [0], "test": [1]}


@pytest.mark.parametrize(("data", "ending"), [(b"\x89PNG\r\n", ".png"), (b"\xff\xd8\xff\xe0", ".jpg"), (b"?", ".img")])
def test_an_image_file_is_named_by_what_it_is(data: bytes, ending: str) -> None:
    assert suffix(data) == ending
