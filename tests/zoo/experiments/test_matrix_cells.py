"""The figures and the words of a matrix, from made answers: no net is trained."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.zoo.evaluation.test_compare import CLASSES, answers
from zoo.evaluation import confidence
from zoo.experiments import matrix_answer, matrix_cells, matrix_chart
from zoo.experiments.matrix_facts import Facts
from zoo.experiments.matrix_plan import Plan, Row

FACTS = Facts("The set", "of its own", False, None, 300, {"angry": 200, "happy": 80, "sad": 20}, 10.0, 0.031)
N = 600


def right(share, seed, n=N, luck=0):
    """Which images a net has right: the same ones are hard for all, and `luck` says how many differ by seed."""
    hits = np.arange(n) % 100 < round(100 * share)
    hits[np.random.default_rng(seed).integers(0, n, luck)] ^= True
    return hits


def made(shares, rows, tests=("a", "b"), seeds=3, classes=None, luck=9, leaks=None, also=(), **more):
    """The summary of rows whose nets have the given share of each test right, and its answer; `also` have no seeds."""
    plan = Plan(
        tuple(rows),
        {test: (classes or {}).get(test, CLASSES) for test in tests},
        48,
        ("crops differ",),
        leaks or {},
        {test: FACTS for test in tests},
        tuple(also),
    )
    scored = {
        row.name: [
            {
                test: answers(right(shares[row.name][i], (number, seed, i), luck=luck), **more)
                for i, test in enumerate(tests)
            }
            for seed in range(1 if row in also else seeds)
        ]
        for number, row in enumerate((*rows, *also))
    }
    told = matrix_cells.summary(plan, scored, list(range(seeds)))
    told |= {"images": 1000, "budget": 60.0, "paced_by": "a/seed-0", "recipe": "default"}
    return told | {"answer": matrix_answer.answer(told)}


def row(name, *datasets, added=False, classes=CLASSES):
    return Row(name, datasets or (name,), 300, classes, added)


def cell(told, train, test):
    return next(one for one in told["cells"] if (one["train"], one["test"]) == (train, test))


TWO = (row("a"), row("b"))


def test_a_cell_is_the_mean_over_seeds_with_the_interval_of_the_images():
    told = cell(made({"a": (0.9, 0.6), "b": (0.5, 0.8)}, TWO), "a", "b")
    single = [run["accuracy"] for run in told["runs"]]
    assert told["accuracy"] == pytest.approx(np.mean(single))
    assert (told["n"], told["seeds"], len(single), told["home"]) == (N, 3, 3, False)
    half = 1.96 * np.sqrt(0.6 * 0.4 / N)
    assert told["interval"] == pytest.approx([0.6 - half, 0.6 + half], abs=0.02)
    assert told["over_seeds"] == confidence.student(single)[1]


def test_images_of_one_person_widen_the_interval():
    shares = {"a": (0.9, 0.6), "b": (0.5, 0.8)}
    alone, people = (cell(made(shares, TWO, **more), "a", "b") for more in ({}, {"clusters": np.arange(N) // 60}))
    assert people["units"] == 10
    width, wider = (one["interval"][1] - one["interval"][0] for one in (alone, people))
    assert width != pytest.approx(wider, rel=0.05)


def test_a_cell_asks_for_the_classes_alone_that_both_have():
    """A net that takes every face for a third class, and next for the right one, is right where there is no third."""
    scores = answers(np.ones(N))
    p = np.full_like(scores.probabilities, 0.1)
    p[np.arange(N), scores.true] = 0.3
    p[:, 2] = 0.6
    scores = replace(scores, probabilities=p)
    plan = Plan(TWO, {"a": CLASSES, "b": CLASSES[:2]}, 48, (), {}, {"a": FACTS, "b": FACTS})
    told = matrix_cells.summary(plan, {name: [{"a": scores, "b": scores}] for name in ("a", "b")}, [0])
    assert cell(told, "a", "a")["accuracy"] == pytest.approx(1 / 3)
    few = cell(told, "a", "b")
    assert (few["classes"], few["n"], few["accuracy"]) == (list(CLASSES[:2]), 2 * N // 3, 1.0)
    assert matrix_cells.over(scores, CLASSES[:2]).probabilities.sum(1) == pytest.approx(1)


def test_sets_without_a_common_class_have_an_empty_cell_and_no_figure():
    rows = (row("a"), row("b", classes=CLASSES[:1]))
    told = made({"a": (0.9, 0.5), "b": (0.5, 0.5)}, rows)
    empty = cell(told, "b", "a")
    assert (empty["accuracy"], empty["interval"], empty["macro_f1"], empty["n"]) == (None, None, None, 0)
    assert empty["why"] == "1 class that both have"
    assert "| b | a | angry | 0 | - | - | - |" in matrix_answer.markdown(told)


def test_the_drop_is_home_less_the_mean_abroad():
    told = made({"a": (0.9, 0.6, 0.4), "b": (0.5, 0.8, 0.3)}, TWO, tests=("a", "b", "c"), luck=0)
    first = told["rows"][0]
    assert first["home"]["mean"] == pytest.approx(0.9)
    assert first["abroad"]["mean"] == pytest.approx(0.5)
    assert first["drop"]["mean"] == pytest.approx(0.4)
    low, high = first["drop"]["interval"]
    assert 0.3 < low < 0.4 < high < 0.5
    assert "Trained on a, a net is right in 90.0% at home and 50.0%" in told["answer"]
    assert "a drop of 40.0 points" in told["answer"]


def test_a_class_that_is_found_at_home_alone_is_named_as_travelling_worst():
    plan = Plan(TWO, {"a": CLASSES, "b": CLASSES}, 48, (), {}, {"a": FACTS, "b": FACTS})
    found = [right(0.9, seed, luck=60) for seed in range(3)]
    abroad = [hits & (np.arange(N) % 3 != 2) for hits in found]  # the third class is never found
    both = [{"a": answers(here), "b": answers(there)} for here, there in zip(found, abroad, strict=True)]
    scored = {"a": both, "b": both}
    told = matrix_cells.summary(plan, scored, [0, 1, 2])
    recall = {one["class"]: one["abroad"]["mean"] for one in told["rows"][0]["classes"]}
    assert recall[CLASSES[0]] > 0.7
    assert recall[CLASSES[2]] == 0
    told |= {"images": 1, "budget": None, "recipe": "default"}
    share = told["rows"][0]["classes"][2]["home"]["mean"]
    assert f"worst in {CLASSES[2]} {share:.0%} at home, 0% abroad" in matrix_answer.answer(told)


def test_a_single_row_is_no_best():
    lines = made({"a": (0.9, 0.6)}, TWO[:1])["answer"].splitlines()
    assert lines[0].startswith("For faces like a's, a itself reaches 8")
    assert not any("best" in line for line in lines)


def test_the_set_that_is_better_beyond_seeds_and_images_is_called_so():
    told = made({"a": (0.9, 0.7), "b": (0.5, 0.5)}, (row("a"), row("b")), tests=("a", "c"))
    lines = told["answer"].splitlines()
    assert lines[0].startswith("For faces like a's, train on a itself: 8")
    assert "; without faces of a in train, b: 50" in lines[0]
    assert lines[1].startswith("For faces like c's, train on a: ")
    assert "a is better there than b by" in lines[1]


def test_sets_that_differ_by_chance_are_not_called_different():
    told = made({"a": (0.9, 0.71), "b": (0.5, 0.70)}, TWO, tests=("a", "c"), luck=60)
    line = told["answer"].splitlines()[1]
    assert line.startswith("For faces like c's, a does best: ")
    assert "Three seeds do not show that" in line
    assert not told["tests"][1]["rows"][1]["best_over_it"]["real"]


def test_one_seed_calls_nothing_better():
    told = made({"a": (0.9, 0.9), "b": (0.1, 0.1)}, TWO, seeds=1)
    assert "better there" not in told["answer"]
    assert "train on" not in told["answer"]
    assert "One seed cannot tell a difference from noise" in told["answer"]


def test_what_adding_a_set_gains_is_paired_and_corrected():
    rows = (*TWO, row("a+b", "a", "b", added=True))
    told = made({"a": (0.8, 0.5), "b": (0.5, 0.8), "a+b": (0.8, 0.8)}, rows)
    gains = {(one["over"], one["test"]): one for one in told["gains"]}
    assert set(gains) == {("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")}
    assert gains["a", "b"]["real"]
    assert gains["a", "b"]["difference"] == pytest.approx(0.3, abs=0.02)
    assert not gains["a", "a"]["real"]
    raw = [one["p"] for one in told["gains"]]
    assert [one["p_corrected"] for one in told["gains"]] == confidence.holm(raw)
    line = next(line for line in told["answer"].splitlines() if line.startswith("a+b in place of a alone"))
    assert line.startswith("a+b in place of a alone gains ")
    assert "no difference that three seeds can show: " in line


def test_all_but_one_is_no_addition():
    rows = (*TWO, row("all but c", "a", "b"))
    assert made({"a": (0.8, 0.5), "b": (0.5, 0.8), "all but c": (0.8, 0.8)}, rows)["gains"] == []


def test_what_stands_against_the_best_set_is_said():
    lines = made({"a": (0.9, 0.7), "b": (0.5, 0.9)}, TWO)["answer"].splitlines()
    assert lines[-2] == (
        "What to know of a, the single set with the highest mean abroad: licence of its own (redistribution not "
        "allowed, commercial use not known); 300 labelled images in train; angry is 10.0 times as frequent as sad; "
        "fewer than half of its own voters agree with 3.1% of its labels."
    )
    assert lines[-1] == "Who may have it: ferdata datasets a"


def test_a_leak_is_marked_and_settles_nothing():
    told = made({"a": (0.9, 0.7), "b": (0.5, 0.9)}, TWO, leaks={("a", "b"): 3})
    assert cell(told, "a", "b")["leak"] == 3
    assert next(matrix_answer.table(told))[3].endswith(" !")
    assert "settle nothing" in told["answer"].splitlines()[-1]


PEER = Row("peer", (), 0, CLASSES)  # a run that was trained elsewhere


def test_a_run_that_was_trained_elsewhere_is_a_row_that_is_no_best_and_at_home_nowhere():
    told = made({"a": (0.9, 0.6), "b": (0.5, 0.8), "peer": (0.95, 0.95)}, TWO, also=(PEER,))
    assert cell(told, "peer", "a")["accuracy"] == pytest.approx(0.95, abs=0.02)
    assert [run["seed"] for run in cell(told, "peer", "a")["runs"]] == [None]
    last = told["rows"][-1]
    assert (last["train"], last["elsewhere"], last["home"], last["abroad"], last["drop"]) == (
        *("peer", True, None, None, None),
    )
    assert [row["train"] for column in told["tests"] for row in column["rows"]] == ["a", "b", "b", "a"]
    assert {cell(told, "peer", test)["home"] for test in ("a", "b")} == {False}
    first = told["answer"].splitlines()[0]
    assert first.startswith("For faces like a's, train on a itself: ")
    assert "peer, trained elsewhere, reaches 9" in first
    found = told["tests"][0]["also"][0]["best_over_it"]
    assert found["difference"] == pytest.approx(-0.05, abs=0.02)
    assert f"{-100 * found['difference']:.2f} points more than a (+" in first
    assert not any(line.startswith("Trained on peer") for line in told["answer"].splitlines())
    table = list(matrix_answer.table(told))
    assert table[-1][:2] == ("peer (trained elsewhere)", "-")
    assert table[-1][-3:] == ("-", "-", "-")
    assert "| peer (trained elsewhere) |" in matrix_answer.markdown(told)


def test_a_run_that_cannot_answer_a_class_is_scored_on_the_others_and_compared_on_none():
    few = replace(PEER, classes=CLASSES[:2])
    told = made({"a": (0.9, 0.6), "b": (0.5, 0.8), "peer": (0.95, 0.95)}, TWO, also=(few,))
    assert (cell(told, "peer", "a")["classes"], cell(told, "peer", "a")["n"]) == (list(CLASSES[:2]), 2 * N // 3)
    assert [column["also"] for column in told["tests"]] == [[], []]
    assert [column["classes"] for column in told["tests"]] == [list(CLASSES)] * 2  # it narrows no other row
    assert "peer" not in told["answer"]


def test_a_run_that_was_trained_elsewhere_has_a_line_of_its_own_in_the_heat_map(tmp_path, monkeypatch):
    drawn, whole = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **more: drawn.append(figure) or whole(figure, *a, **more))
    matrix_chart.heat_map(made({"a": (0.9, 0.6), "b": (0.5, 0.8), "peer": (0.9, 0.9)}, TWO, also=(PEER,)), tmp_path)
    labels = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert labels == ["a  (300)", "b  (300)", "peer  (trained elsewhere)"]
    assert [text.get_text() for text in drawn[0].axes[0].texts][-1] == "-"
