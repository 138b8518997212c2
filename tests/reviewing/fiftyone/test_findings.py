"""Findings: every issue of an audit makes the finding that its catalogue says it is about."""

import pyarrow as pa
import pytest

from ferdata.auditing.catalogue import CATALOGUE
from ferdata.reviewing.fiftyone.findings import (
    CONFLICT,
    FINDING_COLUMNS,
    LEAK,
    LOW_QUALITY,
    OF_ISSUE,
    SUSPECT,
    TORN,
    VOTES,
    findings,
    image_issues,
    suggestions,
)
from tests.conftest import make_rows


def found(issue: str) -> list[str]:
    batch = make_rows([{"native_label": "fear", "issues": [issue]}, {"native_label": "fear"}])
    table = pa.Table.from_batches([batch]).select(dict.fromkeys((*FINDING_COLUMNS, "sample_id")))
    first, second = findings(table, {})
    assert second == []
    return first


@pytest.mark.parametrize("issue", [f.name for f in CATALOGUE])
def test_an_issue_about_an_image_is_low_quality_and_one_of_the_whole_set_is_nobodys(issue: str) -> None:
    about = next(f.about for f in CATALOGUE if f.name == issue)
    named = {
        "suspect_label": SUSPECT, "suspect_votes": VOTES, "vote_disagreement": TORN, "vote_entropy": TORN,
        "conflict": CONFLICT, "leak": LEAK,
    }  # fmt: skip
    assert found(issue) == ([named[issue]] if issue in named else [LOW_QUALITY] if about == "image" else [])


def test_every_finding_about_a_label_has_a_view_and_no_name_is_misspelt() -> None:
    names = {f.name for f in CATALOGUE}
    assert set(OF_ISSUE) <= names
    assert {f.name for f in CATALOGUE if f.about == "label"} <= set(OF_ISSUE)


def test_an_issue_that_this_audit_does_not_know_is_shown_all_the_same() -> None:
    assert found("a_finding_of_a_later_audit") == [LOW_QUALITY]


def test_a_picture_of_low_quality_says_why_and_the_worst_comes_first() -> None:
    rows = [
        {"native_label": "fear", "issues": ["dark", "conflict"], "brightness": 0.065},
        {"native_label": "fear", "issues": ["no_face"]},
        {"native_label": "fear", "issues": ["bright"], "brightness": 0.95},
        {"native_label": "fear", "issues": ["conflict"], "brightness": 0.4},
        {"native_label": "fear", "brightness": 0.02},  # no audit has looked
    ]
    table = pa.Table.from_batches([make_rows(rows)])
    words, quality = image_issues(table, findings(table, {}))
    assert words == [["dark 0.065"], ["no face"], ["bright 0.95"], [], ["dark 0.02"]]
    assert quality == pytest.approx([0.5, 0, 0.87 / 0.95, None, 0.02 / 0.13])


def test_a_model_suggests_what_it_predicts_and_voters_where_no_model_has_seen_the_face() -> None:
    votes = dict.fromkeys(range(10), 0)
    rows = [{"native_label": "fear", "votes": list((votes | given).values())}
            for given in ({1: 9, 6: 1}, {1: 9, 6: 1}, {1: 9, 6: 1}, {1: 5, 6: 5}, {9: 10}, {1: 9, 6: 1})]  # fmt: skip
    table = pa.Table.from_batches([make_rows(rows)])
    predicted = {"made:0000": ("sadness", 0.9), "made:0001": ("fear", 0.9), "made:0005": ("positive", 0.9)}
    choices = ["happiness", "sadness", "fear", "can't tell", "not a face"]
    expected = ["sadness", None, "happiness", None, "not a face", None]
    assert suggestions(table, ["fear"] * 6, choices, predicted) == expected
    assert suggestions(table.slice(2, 1), ["happiness"], choices, {}) == [None]
