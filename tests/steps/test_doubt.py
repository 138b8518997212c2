"""Claims held against what is known: those that cannot be, those that can, and what a figure says of its n."""

import json

import pytest

from ferdata.claims import published as kept
from ferdata.errors import BadOption
from ferdata.steps import doubt as step
from ferdata.steps.doubt import can_be, doubt

CANNOT_BE = [("fer2013", "98.0"), ("fer2013", "96.47"), ("rafdb", "99.23"), ("ferplus", "95.55")]
HONEST = [
    *(("ferplus", figure) for figure in ("84.99", "83.85", "85.9")),
    *(("fer2013", figure) for figure in ("71.16", "72.05", "73.28", "66.4")),
    *(("rafdb", figure) for figure in ("85.85", "86.41")),
    ("affectnet7", "66.51"),
]


@pytest.mark.parametrize(("dataset", "figure"), CANNOT_BE)
def test_a_claim_that_cannot_be_is_not_credible_by_rule_whoever_made_it(dataset, figure, monkeypatch):
    known = kept.published()[dataset]
    nobody = kept.Published(**{**vars(known), "withdrawn": ()})
    monkeypatch.setattr(step, "published", lambda: {dataset: nobody})
    found = doubt(dataset, figure)
    assert (found.verdict, found.same) == ("not credible", ())
    assert "test faces in train" in found.why


@pytest.mark.parametrize(("dataset", "figure"), HONEST)
def test_an_honest_claim_is_plausible(dataset, figure):
    assert doubt(dataset, figure).verdict == "plausible"


def test_a_figure_that_only_those_chosen_on_test_reach_is_said_to_be_so():
    found = doubt("rafdb", "92.21")
    assert found.verdict == "as chosen on test"
    assert [one.system for one in found.same] == ["POSTER++"]
    assert "86.57 % (ResNet-34)" in found.why


def test_a_figure_tells_which_test_it_can_be():
    found = doubt("FER+", "84.99")
    assert [test.n for test in found.possible] == [3137, 3545]
    assert {test.n for test in found.impossible} == {3153, 3507, 3573}
    assert len(doubt("ferplus", "85").possible) == 5  # without decimals it may be any


@pytest.mark.parametrize("n", [7, 213, 3137])
def test_every_share_of_n_can_be_of_n_and_few_others_can(n):
    written = {f"{100 * right / n:.2f}" for right in range(n + 1)}
    assert all(can_be(float(text), 2, n) for text in written)
    others = [value / 100 for value in range(10_001) if f"{value / 100:.2f}" not in written]
    assert sum(can_be(value, 2, n) for value in others) <= len(others) // 100  # halves that round either way


def test_a_figure_that_is_no_share_of_any_known_test_is_said_to_be_none():
    assert "No whole number" in doubt("rafdb", "99.23").why
    assert "No whole number" not in doubt("rafdb", "99.23", n=1300).why  # 1,290 of 1,300
    assert "No whole number" not in doubt("rafdb", "86.41").why


def test_the_interval_is_that_of_the_n_that_is_given():
    wide, narrow = doubt("fer2013", "73", n=100), doubt("fer2013", "73", n=7178)
    assert wide.interval[1] - wide.interval[0] > 5 * (narrow.interval[1] - narrow.interval[0])
    assert not wide.reference
    assert doubt("fer2013", "73").reference


@pytest.mark.parametrize(
    ("dataset", "figure", "n", "words"),
    [
        ("ferplu", "85", None, "ferplus"),
        ("ferplus", "high", None, "84.99"),
        ("ferplus", "0.8599", None, "Give it in per cent: 85.99."),
        ("ferplus", "101", None, "cannot be"),
        ("ferplus", "nan", None, "cannot be"),
        ("ferplus", "85", 0, "--n is 0"),
    ],
)
def test_what_is_no_claim_is_refused(dataset, figure, n, words):
    with pytest.raises(BadOption) as error:
        doubt(dataset, figure, n)
    assert words in str(error.value)


def test_what_is_kept_has_a_source_and_a_protocol_for_each_figure():
    for known in kept.published().values():
        assert known.reference in [test.n for test in known.tests]
        assert {figure.chosen for figure in known.figures} <= {"val", "test", "not stated"}
        assert {figure.read for figure in known.figures} <= {"source", "second hand"}
        assert all(figure.source and 0 < figure.accuracy < 100 for figure in known.figures)
        bounds = [one.accuracy for one in known.ceilings if one.bound]
        assert all(figure.accuracy <= bound for figure in known.figures for bound in bounds)


def test_the_command_prints_verdict_tests_ceilings_and_figures(ferdata):
    ran = ferdata("doubt", "ferplus", "95.55")
    assert ran.code == 0, ran
    for words in ("not credible", "PAtt-Lite", "3,137", "a model that knew all votes", "Barsoum et al. 2016"):
        assert words in ran.out
    assert json.loads(ferdata("doubt", "ferplus", "84.99%", "--json").out)["verdict"] == "plausible"
