"""Tables, label maps and manifests of Hypothesis: read as what they say, or refused with words."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ferdata import manifest
from ferdata.errors import FerdataError
from ferdata.labels import EMOTIONS, REASONS
from ferdata.manifest import Manifest
from ferdata.sources.tables import read_rows, read_table
from ferdata.sources.words import read_labels
from ferdata.steps.validate import validate
from tests.conftest import make_rows, metadata_of
from tests.robust.extent import WHOLE

pytestmark = pytest.mark.slow
ours = settings(
    max_examples=1000 if WHOLE else 25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=not WHOLE,
)
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=12)
WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=12)
TABLE = st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=6))


@ours
@given(TABLE, st.sampled_from(("utf-8", "utf-8-sig", "utf-16")), st.sampled_from(("\n", "\r\n")))
def test_a_quoted_table_comes_back_cell_by_cell(
    tmp_path: Path, rows: list[list[str]], encoding: str, ending: str
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows(rows)
    # The first line says what separates cells: what is in quotes there does not count.
    (tmp_path / "t.csv").write_bytes(text.getvalue().encode(encoding))
    assert [cells for _, cells in read_rows(tmp_path / "t.csv")] == rows


@ours
@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    try:
        for _, row in read_table(tmp_path / "t.csv"):
            assert all(isinstance(cell, str) for cell in row.values())
    except FerdataError as error:
        assert error.hint  # noqa: PT017  # either way is right


@ours
@given(st.dictionaries(WORD, st.sampled_from((*EMOTIONS, *REASONS)), min_size=1, max_size=8))
def test_a_label_map_comes_back_as_it_was_written(tmp_path: Path, pairs: dict[str, str]) -> None:
    (tmp_path / "l.toml").write_text(
        "[labels]\n" + "".join(f'{json.dumps(key, ensure_ascii=False)} = "{value}"\n' for key, value in pairs.items()),
        encoding="utf-8",
    )
    assert read_labels(str(tmp_path / "l.toml")) == pairs


@ours
@given(st.text(max_size=200))
def test_any_text_is_a_label_map_or_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "l.toml").write_bytes(text.encode("utf-8", "replace"))
    try:
        assert set(read_labels(str(tmp_path / "l.toml")).values()) <= {*EMOTIONS, *REASONS}
    except FerdataError as error:
        assert error.hint  # noqa: PT017


ROW = st.fixed_dictionaries(
    {"native_label": st.sampled_from(EMOTIONS), "seed": st.integers(0, 6)},
    optional={
        "subject": CELL,
        "split": st.sampled_from(("train", "val", "test")),
        "valence": st.floats(-1, 1, width=32),
        "frame": st.integers(0, 2**31 - 1),
    },
)


@ours
@given(st.lists(ROW, min_size=1, max_size=8))
def test_a_manifest_of_any_rows_is_written_whole_and_comes_back(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    batch = make_rows(rows)
    path = tmp_path / "m.parquet"
    manifest.write(path, [batch], metadata_of(batch), force=True)
    found = Manifest(path).table("native_label", "subject", "frame").to_pylist()
    assert found == [{name: row.get(name) for name in ("native_label", "subject", "frame")} for row in rows]
    assert Manifest(path).fingerprint
    validate(path)
