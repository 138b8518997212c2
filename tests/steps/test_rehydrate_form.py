"""A shared file of another form is refused by what is wrong with it, before anything is read or written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferdata.labels import EMOTIONS
from ferdata.manifest import Manifest
from tests.steps.shared_documents import DELETED, OPTIONS, SOURCE, STEP, Document, Where, changed, refused, rehydrated


@pytest.mark.parametrize("part", ["format", "fingerprint", "vote_policy", "taxonomy", "sources", "lineage", "rows"])
@pytest.mark.parametrize(
    "value", [DELETED, None, 5, "x", [], {}], ids=["deleted", "null", "5", "text", "list", "table"]
)
def test_a_shared_file_with_a_part_missing_or_of_another_form_is_refused(
    tmp_path: Path, document: Document, part: str, value: Any
) -> None:
    if (part, value) != ("fingerprint", "x"):  # it is compared with, and any text is one that differs
        refused(tmp_path, changed(document, (part,), value), part)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("rows", "target"), ["happiness"], "rows.target has 1 values, and rows.sample_id 4"),
        (("rows", "target"), DELETED, "rows has no 'target'"),
        (("rows", "split"), "test", "rows.split is 'test', expected a list"),
        (("rows", "image"), [b"".hex()] * 4, "rows holds 'image', where there is only"),
        (("rows", "split", 0), 5, "rows.split: Expected bytes, got a 'int'"),
        (("rows", "split", 0), "nowhere", "rows.split holds 'nowhere', not one of train, val, test"),
        (("rows", "split_reason", 0), "whim", "rows.split_reason holds 'whim'"),
        (("rows", "label", 0), "bliss", "rows.label holds 'bliss'"),
        (("rows", "reviewed_label", 0), "bliss", "rows.reviewed_label holds 'bliss'"),
        (("rows", "split", 0), "\ud800", "half a character"),
        (("rows", "group", 0), 2**70, "a whole number of more than 64 bits"),
        (("rows", "group", 0), 1.5, "rows.group holds a value that is not int64"),
        (("rows", "group", 0), -1, "rows.group holds a number below 0"),
        (("rows", "fold", 0), True, "rows.fold: "),
        (("rows", "review", 0), {"by": "me", "shell": "rm"}, "rows.review holds a value that is not struct"),
        (("rows", "pixel_hash", 0), None, "rows.pixel_hash lacks 1 of its values"),
        (("rows", "sample_id", 0), "mine:happy/1.png", "rows.sample_id holds an id twice"),
        (("rows", "sample_id", 0), "yours:1", "rows.sample_id holds rows of 'yours'"),
        (("vote_policy",), "x", "vote_policy is 'x', not one of majority"),
        (("taxonomy", "mapping", "happiness"), "x", "taxonomy.classes are"),
        (("taxonomy", "mapping", "bliss"), "fear", "taxonomy.mapping holds 'bliss'"),
        (("taxonomy", "classes"), [*EMOTIONS, "neutral"], "taxonomy.classes are"),
        (("taxonomy",), {"name": "none", "classes": [], "mapping": {}}, "taxonomy.classes are"),
        (("taxonomy", "classes", 0), ["neutral"], "a class of the taxonomy is"),
        (("taxonomy", "name"), 5, "taxonomy.name is 5, expected text"),
        (SOURCE, None, "sources.mine is None"),
        ((*SOURCE, "title"), DELETED, "sources.mine has no 'title'"),
        ((*SOURCE, "citation"), 5, "sources.mine.citation is 5, expected text"),
        ((*SOURCE, "commercial"), "no", "sources.mine.commercial is 'no', expected true, false or null"),
        ((*SOURCE, "labels"), [], "sources.mine.labels is "),
        ((*SOURCE, "labels", "happy"), "bliss", "sources.mine.labels takes 'happy' to 'bliss'"),
        ((*SOURCE, "labels", "happy"), ["fear"], "sources.mine.labels takes 'happy' to "),
        ((*SOURCE, "differences"), [5], "a difference in sources.mine is 5"),
        ((*SOURCE, "strange_names"), "5", "sources.mine.strange_names is '5'"),
        ((*SOURCE, "strange_names"), True, "sources.mine.strange_names is True"),
        (STEP, None, r"lineage\[0\] is None"),
        ((*STEP, "step"), DELETED, r"lineage\[0\] has no 'step'"),
        ((*STEP, "options"), [], r"lineage\[0\].options is \[\], expected a table"),
        ((*STEP, "inputs"), {}, r"lineage\[0\].inputs is {}, expected a list"),
        ((*STEP, "inputs"), [5], r"lineage\[0\].inputs\[0\] is 5"),
        ((*STEP, "inputs"), [{"name": "a", "rows": 1, "fingerprint": "f"}], r"inputs\[0\] has no 'lineage'"),
        ((*STEP, "adapter"), ["folder"], r"lineage\[0\].adapter is \['folder'\]"),
        ((*STEP, "dataset"), DELETED, r"lineage\[0\] has no 'dataset'"),
        ((*STEP, "rows_out"), "many", r"lineage\[0\].rows_out is 'many'"),
        ((*STEP, "dropped"), {"why": "many"}, r"a count in lineage\[0\].dropped is 'many'"),
        ((*STEP, "step"), "review", "its lineage reads nothing, and its sources are mine"),
        (("extra",), 5, "it holds 'extra'"),
    ],
)
def test_a_shared_file_of_another_form_is_refused_by_name(
    tmp_path: Path, document: Document, where: Where, value: Any, message: str
) -> None:
    refused(tmp_path, changed(document, where, value), message)


def test_a_dataset_that_is_read_twice_or_not_at_all_is_refused(tmp_path: Path, document: Document) -> None:
    (step,) = document["lineage"]
    refused(tmp_path, document | {"lineage": [step, step]}, "reads mine, mine, and its sources are mine")
    more = document["sources"] | {"yours": document["sources"]["mine"]}
    refused(tmp_path, document | {"sources": more}, "reads mine, and its sources are mine, yours")
    other = {"yours": document["sources"]["mine"]}
    refused(tmp_path, document | {"sources": other}, "dataset is 'mine', which is not one of its sources")


def test_a_shared_file_of_no_rows_is_refused(tmp_path: Path, document: Document) -> None:
    refused(tmp_path, document | {"rows": {name: [] for name in document["rows"]}}, "it has no rows")


def made_of_itself(document: Document, times: int) -> Document:
    lineage = document["lineage"]
    for _ in range(times):
        source = {"name": "m.parquet", "rows": 4, "fingerprint": "f", "lineage": lineage}
        lineage = [{"step": "review", "ferdata": "0.1.0", "options": {}, "inputs": [source]}]
    return document | {"lineage": lineage}


def deep(document: Document) -> Document:
    nested: Any = 0
    for _ in range(300):
        nested = [nested]
    return changed(document, (*OPTIONS, "images"), nested)


@pytest.mark.parametrize(
    "evil",
    [
        lambda document: made_of_itself(document, 70),
        deep,
        lambda document: json.dumps(document).replace('"folder"', "[" * 200_000 + "]" * 200_000),
    ],
    ids=["steps", "an option", "far too deep"],
)
def test_a_shared_file_that_is_nested_too_deeply_is_refused(
    tmp_path: Path, document: Document, evil: Callable[[Document], Any]
) -> None:
    refused(tmp_path, evil(document), "it is nested too deeply")


def test_a_manifest_that_was_made_anew_fifty_times_is_rehydrated(tmp_path: Path, document: Document) -> None:
    done = rehydrated(tmp_path, made_of_itself(document, 50))
    assert done.same
    assert len(Manifest(done.out).metadata["lineage"]) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[1]", r"it is \[1\], expected a table"),
        ('{"format": NaN}', "its format is nan"),
        ('{"format": ' + "9" * 10_000 + "}", "thousands of digits"),
        ('{"format": "ferdata share 2"}', "its format is 'ferdata share 2', expected 'ferdata share 1'"),
        ('{"format": "ferdata share 1"}', "it has no 'vote_policy'"),
    ],
)
def test_a_text_that_is_no_shared_file_is_refused_by_what_it_is(tmp_path: Path, text: str, message: str) -> None:
    refused(tmp_path, text, message)


def test_half_a_character_in_a_name_is_refused(tmp_path: Path, document: Document) -> None:
    refused(tmp_path, changed(document, (*SOURCE, "title"), "\udcff"), "half a character")
