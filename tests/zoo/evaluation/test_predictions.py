import numpy as np
import pyarrow.parquet as pq

from tests.zoo.evaluation.test_compare import CLASSES, answers
from zoo.evaluation.predictions import join, read, save


def test_what_was_written_is_read_again(tmp_path):
    rows = answers(np.arange(9) % 2 == 0, clusters=np.arange(9) // 2, manifest="m.parquet")
    save(tmp_path / "p.parquet", rows)
    back = read(tmp_path / "p.parquet")
    for name in ("sample_id", "dataset", "split", "true", "probabilities", "clusters"):
        np.testing.assert_array_equal(getattr(back, name), getattr(rows, name))
    assert back.classes == CLASSES
    assert back.facts["manifest"] == "m.parquet"


def test_any_program_reads_the_words(tmp_path):
    save(tmp_path / "p.parquet", answers([True, False]))
    table = pq.read_table(tmp_path / "p.parquet").to_pydict()
    assert table["target"] == ["angry", "happy"]
    assert table["predicted"] == ["angry", "sad"]
    assert len(table["probabilities"][0]) == 3


def test_parts_are_joined_in_order(tmp_path):
    a, b = answers([True] * 2), answers([False] * 3)
    whole = join([a, b])
    assert len(whole) == 5
    np.testing.assert_array_equal(whole.probabilities[2:], b.probabilities)
