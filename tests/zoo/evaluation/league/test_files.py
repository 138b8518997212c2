"""A league as a file, by its ending; the same words as on the terminal."""

import csv
import json

import pytest

from zoo.evaluation.league.files import write
from zoo.evaluation.league.tables import tables, where


def test_markdown_has_the_tables_what_is_to_be_known_and_the_answer(league, trained, adopted):
    made, folder = league
    text = (folder / "league.md").read_text()
    assert text.startswith("**League: made, test, 48 images**")
    assert "| run | accuracy | 95 % | macro-F1 | 95 % | ECE | on its own classes | n |" in text
    assert f"| {trained.path} | {made['runs'][0]['accuracy']:.1%} |" in text
    assert "| majority-class baseline | 25.0% |" in text
    assert "anger (12) |" in text
    assert "count as wrong" in text
    assert text.rstrip().endswith(made["answer"].replace("_", "\\_"))


def test_latex_has_a_table_for_each_with_booktabs_rules(league, adopted):
    _, folder = league
    text = (folder / "league.tex").read_text()
    assert text.count(r"\toprule") == 3
    assert r"48 images" in text
    assert all(line.startswith("% ") for line in text.split(r"\end{table}")[-1].splitlines() if line)
    assert "cannot answer anger (12 images)" in text.split(r"\end{table}")[-1]


def test_csv_has_a_line_for_each_run_and_for_what_people_reach(league, trained):
    made, folder = league
    with (folder / "league.csv").open(newline="") as file:
        first, second, last = csv.DictReader(file)
    assert first["run"] == str(trained.path)
    assert float(first["accuracy"]) == made["runs"][0]["accuracy"]
    assert float(first["recall_anger"]) == made["runs"][0]["per_class"]["anger"]["recall"]
    assert (second["able_n"], second["trained_elsewhere"], second["parameters"]) == ("36", "True", "6")
    assert (last["run"], last["accuracy"], last["macro_f1"]) == ("majority-class baseline", "0.25", "")


def test_the_command_prints_the_same_and_writes_what_is_asked_for(adopted, manifest_path, ferdata):
    asked = ("compare", adopted, "--on", manifest_path, "--bootstrap", 100, "--device", "cpu")
    ran = ferdata(*asked, "-o", "a/league.md", "--plot", "league.svg")
    assert ran.code == 0, ran
    assert "League: made, test, 48 images" in ran.out
    assert "Recall by class (images)" in ran.out
    assert f"{adopted}: it cannot answer anger (12 images), which count as wrong." in ran.out
    assert "a/league.md\nPlot: league.svg" in ran.out
    told = json.loads(ferdata(*asked, "--json").out)
    assert f"{told['runs'][0]['accuracy']:.1%}" in ran.out
    ran = ferdata("compare", adopted, adopted, "--dataset", "made")
    assert ran.code == 2
    assert "--dataset: it goes with --on" in ran.err


def test_a_star_says_that_a_class_cannot_be_answered_and_a_column_more_only_where_one_cannot(league):
    made, _ = league
    figures, _, recall = tables(made)
    assert "*" in recall.rows[1]
    assert "*" not in recall.rows[0]
    assert figures.rows[1][-2:] == (f"{made['runs'][1]['able']['accuracy']:.1%}", "36")
    alone = {**made, "runs": made["runs"][:1]}
    assert "n" not in tables(alone)[0].heads
    assert where(made) == "made, test, 48 images"


@pytest.mark.parametrize("mark", ["LEAK: 3 of the 48 images, or copies of them, are in its train", None])
def test_a_run_whose_figure_settles_nothing_has_a_sign_behind_its_name(league, mark):
    made, _ = league
    first = {**made["runs"][0], "marks": [mark] if mark else []}
    figures = tables({**made, "runs": [first]})[0]
    assert figures.rows[0][0].endswith(" !") == bool(mark)
    assert ("! see below." in figures.caption) == bool(mark)


def test_words_of_others_are_no_markup(league, tmp_path):
    made, _ = league
    run = {**made["runs"][0], "run": "a|b*c_d", "terms": "no <b>use</b> & 5 % _off_\nat all"}
    write(tmp_path / "l.md", {**made, "runs": [run]})
    text = (tmp_path / "l.md").read_text()
    assert "a\\|b" in text
    assert "no \\<b>use\\</b> & 5 % \\_off\\_ at all" in text
    write(tmp_path / "l.tex", {**made, "runs": [run]})
    assert "\nat all" not in (tmp_path / "l.tex").read_text()
