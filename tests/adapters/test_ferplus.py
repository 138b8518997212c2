"""FER+: rows joined by order, files by name, four names on two rows, and every kind of mismatch."""

import csv
import shutil
from collections import Counter

import numpy as np
import pytest

from ferdata.errors import BrokenSource, DatasetMissing
from tests.adapters.test_contract import read
from tests.conftest import real_data
from tests.fakes import face, ferplus, save

TWICE = "fer0000007.png"


def test_tables_are_joined_by_row_never_by_the_number_in_the_name(tmp_path):
    ferplus.tables(tmp_path)
    _, _, samples, _ = read("ferplus", tmp_path)
    by_key = {s.key: s for s in samples}
    for row, (_, name, votes) in enumerate(ferplus.rows()):
        if name and name != TWICE:
            assert np.array_equal(by_key[name].image, face(row))
            assert by_key[name].votes == votes


def test_rows_without_a_name_are_left_out_and_counted(tmp_path):
    ferplus.tables(tmp_path)
    _, _, _, skipped = read("ferplus", tmp_path)
    assert [s.key for s in skipped] == ["row 5", "row 17", "row 30"]


def test_the_shorter_table_of_pixels_gives_the_same_samples(tmp_path):
    (tmp_path / "all").mkdir()
    ferplus.tables(tmp_path / "all")
    (tmp_path / "named").mkdir()
    ferplus.write_new(tmp_path / "named")
    ferplus.write_pixels(tmp_path / "named", unnamed=False)
    whole, short = read("ferplus", tmp_path / "all"), read("ferplus", tmp_path / "named")
    assert [s.key for s in whole[2]] == [s.key for s in short[2]]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(whole[2], short[2], strict=True))
    assert whole[3] == short[3]


def test_a_table_of_any_other_length_is_refused(tmp_path):
    ferplus.tables(tmp_path)
    lines = (tmp_path / "fer2013.csv").read_text().splitlines()
    (tmp_path / "fer2013.csv").write_text("\n".join(lines[:-1]))
    with pytest.raises(BrokenSource, match=r"has 39 rows; fer2013new\.csv has 40, of which 37 have a name"):
        read("ferplus", tmp_path)


def test_tables_in_different_order_are_refused_at_the_first_row_that_shows_it(tmp_path):
    ferplus.tables(tmp_path)
    lines = (tmp_path / "fer2013.csv").read_text().splitlines()
    lines[3], lines[-1] = lines[-1], lines[3]
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    with pytest.raises(BrokenSource, match=r"fer2013.csv:4: Usage gives split test, but line 4"):
        read("ferplus", tmp_path)


def test_a_name_on_two_rows_carries_its_row_in_every_form(tmp_path):
    (tmp_path / "csv").mkdir()
    (tmp_path / "png").mkdir()
    ferplus.tables(tmp_path / "csv")
    ferplus.png(tmp_path / "png")
    tables = read("ferplus", tmp_path / "csv")
    files = read("ferplus", tmp_path / "png", votes_from="fer2013new.csv")
    assert {s.key for s in tables[2]} == {s.key for s in files[2]}
    assert sorted(s.key for s in files[2] if TWICE in s.key) == [f"{TWICE}@20", f"{TWICE}@8"]
    assert {s.key: s.votes for s in tables[2]} == {s.key: s.votes for s in files[2]}
    assert files[3] == tables[3]


def test_the_box_becomes_x_y_width_and_height(tmp_path):
    ferplus.png(tmp_path)
    label = tmp_path / "data" / "FER2013Train" / "label.csv"
    label.write_text(label.read_text().replace("(0, 0, 48, 48)", "(4, 6, 44, 48)", 1))
    _, _, samples, _ = read("ferplus", tmp_path)
    assert samples[0].face_box == (4, 6, 40, 42)
    assert samples[1].face_box == (0, 0, 48, 48)


def test_a_file_without_a_line_comes_unlabelled_and_a_line_without_a_file_comes_as_missing(tmp_path):
    ferplus.png(tmp_path)
    folder = tmp_path / "data" / "FER2013Test"
    save(folder / "fer9999999.png", face(1))
    gone = next(p for p in sorted(folder.glob("fer*.png")))
    gone.unlink()
    for votes_from in ("label.csv", "fer2013new.csv"):
        _, base, samples, _ = read("ferplus", tmp_path, votes_from=votes_from)
        stray = next(s for s in samples if "9999999" in s.key)
        assert (stray.votes, stray.native_label, stray.official_split) == (None, None, "test")
        assert [s.image for s in samples if not (base / s.image).exists()] == [f"FER2013Test/{gone.name}"]


def test_votes_of_a_table_that_is_not_there_are_an_error_with_its_address(tmp_path):
    ferplus.png(tmp_path)
    (tmp_path / "fer2013new.csv").unlink()
    with pytest.raises(DatasetMissing, match=r"github\.com/microsoft/FERPlus"):
        read("ferplus", tmp_path, votes_from="fer2013new.csv")


@pytest.mark.parametrize("votes_from", ["label.csv", "fer2013new.csv"])
def test_a_folder_that_is_missing_is_passed_over_and_its_rows_in_the_table_are_named(tmp_path, votes_from):
    ferplus.png(tmp_path)
    (tmp_path / "data" / "FER2013Valid").rename(tmp_path / "elsewhere")
    _, _, samples, skipped = read("ferplus", tmp_path, votes_from=votes_from)
    assert {s.official_split for s in samples} == {"train", "test"}
    assert ("the folder of val is not there" in {s.reason for s in skipped}) == (votes_from == "fer2013new.csv")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('fer0000001.png,"(0, 0, 48, 48)",1,2', "4 cells, expected 12"),
        ('fer0000001.png,"(0, 0, 48)",1,0,0,0,0,0,0,0,0,0', "the box"),
        ('fer0000001.png,"(0, 0, 48, 48)",-1,0,0,0,0,0,0,0,0,0', "a negative vote"),
        ('fer0000001.png,"(0, 0, 48, 48)",x,0,0,0,0,0,0,0,0,0', "votes that are missing"),
        ('../a.png,"(0, 0, 48, 48)",1,0,0,0,0,0,0,0,0,0', "which is a path"),
        (',"(0, 0, 48, 48)",1,0,0,0,0,0,0,0,0,0', "no image name"),
    ],
)
def test_a_damaged_line_of_label_csv_is_refused_with_its_number(tmp_path, line, said):
    ferplus.png(tmp_path)
    path = tmp_path / "data" / "FER2013Train" / "label.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(BrokenSource, match=f"label.csv:2: .*{said}"):
        read("ferplus", tmp_path)


def test_where_folders_and_tables_are_both_there_the_folders_are_read(tmp_path):
    ferplus.png(tmp_path)
    ferplus.write_pixels(tmp_path)
    assert read("ferplus", tmp_path)[0].name == "png"


@pytest.fixture(scope="module")
def real_votes(tmp_path_factory):
    """The published tables, over empty files that stand in for the faces: no image is opened."""
    votes = real_data() / "fer2013"
    root = tmp_path_factory.mktemp("ferplus")
    (root / "fer2013new.csv").symlink_to(votes / "fer2013new.csv")
    for folder in ("FER2013Train", "FER2013Valid", "FER2013Test"):
        (root / "data" / folder).mkdir(parents=True)
        (root / "data" / folder / "label.csv").symlink_to(votes / f"label-{folder}.csv")
        with (votes / f"label-{folder}.csv").open(newline="") as file:
            for row in csv.reader(file):
                (root / "data" / folder / row[0]).touch()
    yield root
    shutil.rmtree(root)


@pytest.mark.slow
def test_the_real_label_csv_gives_the_published_counts(real_votes):
    layout, _, samples, skipped = read("ferplus", real_votes)
    counts = Counter(s.official_split for s in samples)
    assert counts == {split: c["all"] for split, c in layout.counts.items()}
    assert len(samples) == 35710
    assert not skipped


@pytest.mark.slow
def test_the_real_table_gives_every_named_row(real_votes):
    _, base, samples, skipped = read("ferplus", real_votes, votes_from="fer2013new.csv")
    assert len(samples) == len({s.key for s in samples}) == 35714
    assert len(skipped) == 173
    assert sum("@" in s.key for s in samples) == 8
    assert all((base / s.image).exists() for s in samples)
    odd = [s.votes for s in samples if s.key.startswith("fer0033120.png@")]
    assert odd == [(5, 0, 0, 1, 1, 0, 0, 0, 3, 0), (0, 0, 0, 0, 0, 0, 0, 0, 0, 10)]
