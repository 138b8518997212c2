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
