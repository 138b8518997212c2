import pytest

from ferdata.errors import BadOption
from ferdata.sources.ferplus_votes import VOTES, votes_by_row

HEADER = f"Usage,Image name,{','.join(VOTES)}"
LISTED, OWN = (4, 0, 0, 1, 3, 2, 0, 0, 0, 0), (10, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def cells(votes):
    return ",".join(map(str, votes))


@pytest.fixture
def ferplus(tmp_path):
    lines = [
        HEADER,
        f"Training,fer0000000.png,{cells(LISTED)}",
        f"Training,,{cells(LISTED)}",
        f"PublicTest,fer0000009.png,{cells(LISTED)}",
    ]
    (tmp_path / "fer2013new.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "data/FER2013Valid").mkdir(parents=True)
    (tmp_path / "data/FER2013Valid/label.csv").write_text(f'fer0000009.png,"(0, 0, 48, 48)",{cells(OWN)}\n')
    return tmp_path


def test_votes_are_those_of_the_row_by_its_number(ferplus):
    assert votes_by_row(ferplus / "fer2013new.csv") == {"00000": LISTED, "00001": LISTED, "00002": LISTED}


def test_a_pictures_own_votes_in_label_csv_come_first(ferplus):
    assert votes_by_row(ferplus) == {"00000": LISTED, "00001": LISTED, "00002": OWN}


def test_a_place_without_the_table_is_refused_with_where_it_is(tmp_path):
    with pytest.raises(BadOption, match=r"fer2013new\.csv"):
        votes_by_row(tmp_path)
