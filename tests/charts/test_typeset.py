"""Tables for LaTeX: named, so that a text can refer to them, and never wider than it."""

import pytest

from ferdata.charts.typeset import label, latex


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Rows by dataset (taxonomy basic8, votes majority)", "rows-by-dataset"),
        ("Pictures by label: a_1 (rows) against b (columns)", "pictures-by-label-a-1-against-b"),
        ("Zeilen je Größe", "zeilen-je-größe"),
    ],
)
def test_a_label_is_made_of_the_titles_words(title: str, name: str) -> None:
    assert label(title) == name


def test_a_table_has_its_label_after_its_caption_and_is_scaled_where_it_is_too_wide() -> None:
    lines = latex("Rows by split", ("split", "rows"), [("train", 1200)], "50 %").splitlines()
    assert lines[3:6] == [
        r"\caption{Rows by split. 50 \%}",
        r"\label{tab:rows-by-split}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
    ]
    assert lines[6:9] == [r"\begin{tabular}{lr}", r"\toprule", r"split & rows \\"]
    assert lines[-2:] == [r"\end{tabular}}", r"\end{table}"]
