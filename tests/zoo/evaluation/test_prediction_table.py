"""What other people's programs write: CSV with and without marks, semicolons and decimal commas, and Parquet."""

import numpy as np
import pandas as pd
import pytest

from ferdata.errors import BadOption
from ferdata.labels import TAXONOMIES
from tests.zoo.evaluation.test_compare import CLASSES, answers
from zoo.evaluation.prediction_table import meaning, read
from zoo.evaluation.predictions import save

BASIC8 = TAXONOMIES["basic8"]
GOOD = {"path": ["a.png", "b.png"], "happy": [0.75, 0.5], "sad": [0.25, 0.5]}


@pytest.fixture
def written(tmp_path):
    """Return a function that writes columns as pandas does, and gives back the file."""

    def make(columns, name="k.csv", **how):
        table = pd.DataFrame(columns)
        path = tmp_path / name
        table.to_parquet(path) if name.endswith(".parquet") else table.to_csv(path, index=False, **how)
        return path

    return make


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("k.csv", {}),
        ("k.csv", {"encoding": "utf-8-sig"}),
        ("k.csv", {"sep": ";", "decimal": ","}),
        ("k.csv", {"sep": "\t", "encoding": "utf-16"}),
        ("k.parquet", {}),
    ],
)
def test_a_table_is_read_as_it_is_written(written, name, how):
    table = read(written(GOOD, name, **how), BASIC8)
    assert (table.named_by, table.names) == ("path", ["a.png", "b.png"])
    assert (table.columns, table.meanings) == (("happy", "sad"), ("happiness", "sadness"))
    assert table.p.tolist() == [[0.75, 0.25], [0.5, 0.5]]


def test_other_columns_are_passed_over_and_named_and_blank_lines_are_none(written):
    numbers = {name: GOOD[name] for name in ("happy", "sad")}
    table = read(written({"": [0, 1], "Path": GOOD["path"], "split": ["test"] * 2, **numbers}), BASIC8)
    assert (table.named_by, table.ignored) == ("Path", ("one without a name", "split"))
    path = written(GOOD)
    path.write_text(path.read_text().replace("\n", "\n\n"))
    assert len(read(path, BASIC8).names) == 2


def test_our_own_file_is_a_table_too(tmp_path):
    rows = answers([True, False])
    save(tmp_path / "p.parquet", rows)
    table = read(tmp_path / "p.parquet", TAXONOMIES["fer3"])
    assert (table.named_by, table.columns) == ("sample_id", CLASSES)
    np.testing.assert_allclose(table.p, rows.probabilities, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "taxonomy", "means"),
    [
        ("happy", "basic8", "happiness"),
        (" Happiness ", "basic8", "happiness"),
        ("p_happiness", "basic8", "happiness"),  # as `ferdata predict` names it
        ("radość", "basic8", "happiness"),
        ("Positive", "valence3", "positive"),
        ("angry", "fer3", "angry"),  # the class's own name, before the emotion
        ("other", "basic8", "other"),
        ("smug", "basic8", None),
    ],
)
def test_a_column_means_a_class_or_an_emotion_by_any_of_its_names(name, taxonomy, means):
    assert meaning(name, TAXONOMIES[taxonomy]) == means


def test_rounded_probabilities_are_made_one_in_sum(written):
    table = read(written({**GOOD, "sad": [0.252, 0.5]}), BASIC8)
    assert table.p.sum(1) == pytest.approx([1, 1], abs=1e-12)


def test_two_digits_may_be_a_hundredth_off_and_no_more(written):
    table = read(written({**GOOD, "happy": [0.76, 0.5], "sad": [0.25, 0.49]}), BASIC8)
    assert table.p.sum(1) == pytest.approx([1, 1], abs=1e-12)
    with pytest.raises(BadOption, match=r"1\.02 in sum"):
        read(written({**GOOD, "happy": [0.77, 0.5]}), BASIC8)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"happy": [0.5], "sad": [0.5]}, "no column that names a row: it has happy, sad"),
        ({"path": ["a"], "predicted": ["happy"]}, "predicted says which class was predicted, and not how probable"),
        ({"path": ["a"], "0": [0.5], "1": [0.5]}, "the columns 0, 1, which do not say which class"),
        ({"path": ["a"], "smug": [1.0]}, "no column named as a class: it has path, smug"),
        ({"path": [], "happy": []}, "a header, and no line"),
        ({**GOOD, "sad": [0.25, None]}, "line 3: sad is empty"),
        ({**GOOD, "sad": ["0.25", "x"]}, "line 3: sad is x, which is no number"),
        ({**GOOD, "sad": [0.25, float("inf")]}, "sad is inf"),
        ({**GOOD, "sad": [0.25, 0.3]}, r"line 3 \(1 of 2 lines\): the probabilities are 0.8 in sum"),
        ({**GOOD, "happy": [75, 50], "sad": [25, 50]}, "are per cent"),
    ],
)
def test_what_is_no_table_of_probabilities_is_refused_by_line_and_column(written, columns, words):
    with pytest.raises(BadOption, match=words):
        read(written(columns), BASIC8)


def test_raw_scores_are_refused_and_softmax_is_the_way(written):
    with pytest.raises(BadOption, match=r"line 3 \(1 of 2 lines\): a value is -0.5") as refused:
        read(written({**GOOD, "happy": [0.75, 1.5], "sad": [0.25, -0.5]}), BASIC8)
    assert "softmax" in refused.value.hint


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"path,happy,happy\na,1,0\n", "the column 'happy' twice"),
        (b"path,happy,sad\na,1,0\nb,1\n", "line 3: 2 cells, where the header has 3"),
        (b"path,happy,sad\na,1\nb,1,0\n", "line 2: 2 cells, where the header has 3"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is no table"),
    ],
)
def test_a_file_that_is_no_csv_is_said(tmp_path, data, words):
    (tmp_path / "k.csv").write_bytes(data)
    with pytest.raises(BadOption, match=words):
        read(tmp_path / "k.csv", BASIC8)


def test_a_file_that_is_not_there_or_is_no_parquet_is_said(tmp_path):
    for name in ("gone.csv", "gone.parquet"):
        with pytest.raises(BadOption, match="There is no file"):
            read(tmp_path / name, BASIC8)
    (tmp_path / "k.parquet").write_text("path,happy\n")
    with pytest.raises(BadOption, match="no Parquet file"):
        read(tmp_path / "k.parquet", BASIC8)
