"""The plot of a league: each run at its time and accuracy, named where it is free; people's figures as lines."""

import pytest
from matplotlib.figure import Figure

from zoo.evaluation.league.chart import against_time, short
from zoo.evaluation.league.speed import time_of

PEOPLE = {
    **{"n": 48, "one_annotator": 0.7, "label_share": 0.72, "true_shares": 0.9, "consensus": None},
    "intervals": {"one_annotator": None, "label_share": None, "true_shares": None},
}


@pytest.fixture
def drawn(monkeypatch):
    kept = []
    whole = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **more: kept.append(figure) or whole(figure, *a, **more))
    return kept


@pytest.mark.parametrize(("form", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_each_run_stands_at_its_time_and_accuracy_with_its_interval(league, drawn, form, begin):
    made, _ = league
    assert against_time(made, form).startswith(begin)
    (axes,) = drawn[0].axes
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"]
    assert points == [(time_of(run["speed"], made["speed"]), run["accuracy"]) for run in made["runs"]]
    assert [line.get_markerfacecolor() == "white" for line in axes.lines if line.get_marker() == "o"] == [False, True]
    spans = [tuple(line.get_ydata()) for line in axes.lines if line.get_marker() == "None" and line.get_ls() == "-"]
    assert spans[0] == tuple(made["runs"][0]["intervals"]["accuracy"])
    assert "hollow: trained elsewhere" in drawn[0].get_supxlabel()


def test_what_people_reach_is_a_line_with_its_words(league, drawn):
    made, _ = league
    against_time({**made, "people": PEOPLE})
    (axes,) = drawn[0].axes
    assert [line.get_ydata()[0] for line in axes.lines if line.get_ls() == "--"][:3] == [0.7, 0.72, 0.9]
    assert any("one annotator, against the others: 70.0%" in text.get_text() for text in axes.texts)


def test_runs_at_one_place_are_named_apart(league, drawn):
    made, _ = league
    crowd = [{**made["runs"][0], "run": f"runs/net-{i}"} for i in range(6)]
    against_time({**made, "runs": crowd})
    names = [text for text in drawn[0].axes[0].texts if text.get_text().startswith("net-")]
    boxes = [text.get_window_extent() for text in names]
    assert len(boxes) == 6
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_what_people_reach_is_said_where_no_run_stands(league, drawn):
    """Two lines that are near to each other, and a run on one of them, at the right end of the plot."""
    made, _ = league
    at = {**made["runs"][0], "accuracy": 0.72, "intervals": {"accuracy": [0.69, 0.75]}}
    against_time({**made, "people": PEOPLE, "runs": [at]})
    (axes,) = drawn[0].axes
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for one, a in boxes.items() for other, b in boxes.items() if one < other)
    left, up = axes.transData.transform((time_of(at["speed"], made["speed"]), 0.72))
    assert not any(box.contains(left, up) for box in boxes.values())


def test_a_table_has_no_time_and_is_named_below(league, drawn):
    made, _ = league
    against_time({**made, "runs": [made["runs"][0], {**made["runs"][1], "run": "theirs.csv", "speed": None}]})
    assert "without a speed, and not drawn: theirs.csv" in drawn[0].get_supxlabel()
    against_time({**made, "runs": [{**made["runs"][1], "speed": None}], "speed": None})
    assert [line for line in drawn[1].axes[0].lines if line.get_marker() == "o"] == []


def test_two_runs_of_one_name_have_their_parents_before_it():
    called = short(["runs/a/net", "runs/b/net", "runs/b/other"])
    assert called == {"runs/a/net": "a/net", "runs/b/net": "b/net", "runs/b/other": "other"}
