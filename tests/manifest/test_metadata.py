"""What a manifest says of itself, when somebody or something has changed it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ferdata.errors import NotAManifest
from ferdata.manifest import Manifest
from ferdata.manifest.file import KEY
from tests.conftest import MakeManifest, Ran

Run = Callable[..., Ran]
GONE = object()
STEP = {"step": "merge", "ferdata": "0.1.0", "options": {}, "inputs": []}
INPUT = {"name": "a", "rows": 1, "fingerprint": "f", "lineage": []}


def rewritten(path: Path, said: bytes) -> Path:
    table = pq.read_table(path)
    found = {**(pq.read_metadata(path).metadata or {}), KEY: said}
    found.pop(b"ARROW:schema")
    pq.write_table(table.replace_schema_metadata(found), path)
    return path


def changed(path: Path, where: tuple[Any, ...], value: Any) -> Path:
    said = inner = json.loads(pq.read_metadata(path).metadata[KEY])
    for part in where[:-1]:
        inner = inner[part]
    if value is GONE:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return rewritten(path, json.dumps(said).encode())


@pytest.fixture
def made(make_manifest: MakeManifest) -> Path:
    return make_manifest(*({"split": "train", "native_label": "anger"} for _ in range(3)))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"5", "it is 5, expected a table"),
        (b"null", "it is None"),
        (b"[]", r"it is \[\]"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        (b"9" * 10_000, "thousands of digits"),
        (b"{", "property name"),
        (b"\xff", "not text"),
    ],
    ids=["a number", "null", "a list", "deep", "a long number", "no JSON", "no text"],
)
def test_what_is_no_document_of_ours_is_said_so(made: Path, said: bytes, why: str) -> None:
    with pytest.raises(NotAManifest, match=why):
        Manifest(rewritten(made, said))


@pytest.mark.parametrize(
    ("where", "value", "why"),
    [
        (("fingerprint",), GONE, "it has no 'fingerprint'"),
        (("fingerprint",), 5, "fingerprint is 5, expected text"),
        (("rows",), "3", "rows is '3', expected a whole number"),
        (("vote_policy",), "loudest", "vote_policy is 'loudest', not one of majority"),
        (("vote_policy",), GONE, "it has no 'vote_policy'"),
        (("taxonomy",), None, "taxonomy is None, expected a table"),
        (("taxonomy", "name"), 5, "taxonomy.name is 5"),
        (("taxonomy", "classes"), "anger", "taxonomy.classes is 'anger', expected a list"),
        (("taxonomy", "classes"), ["anger", "anger"], "its mapping leads to"),
        (("taxonomy", "mapping", "joy"), "anger", "taxonomy.mapping holds 'joy'"),
        (("taxonomy", "mapping"), {"anger": ["anger"]}, r"a class of the taxonomy is \['anger'\]"),
        (("sources",), [], r"sources is \[\]"),
        (("sources", "made"), None, "sources.made is None"),
        (("sources", "made", "labels"), GONE, "sources.made has no 'labels'"),
        (("sources", "made", "labels", "anger"), "rage", "takes 'anger' to 'rage', which is not an emotion"),
        (("sources", "made", "labels", "anger"), [], r"takes 'anger' to \[\]"),
        (("sources", "made", "citation"), 5, "sources.made.citation is 5"),
        (("sources", "made", "commercial"), [], r"commercial is \[\], expected true, false or null"),
        (("sources", "made", "root"), 5, "sources.made.root is 5"),
        (("sources", "made", "measured"), "2", "sources.made.measured is '2'"),
        (("sources", "../up"), {}, "a name in sources is '../up', and a dataset's name is"),
        (("lineage",), 5, "lineage is 5, expected a list"),
        (("lineage",), [None], r"lineage\[0\] is None"),
        (("lineage",), [{**STEP, "options": []}], r"lineage\[0\].options is \[\]"),
        (("lineage",), [{**STEP, "inputs": [{**INPUT, "rows": "1"}]}], r"inputs\[0\].rows is '1'"),
        (("lineage",), [{**STEP, "inputs": [{**INPUT, "lineage": [{}]}]}], r"inputs\[0\].lineage\[0\] has no 'step'"),
        (("lineage",), [{**STEP, "dropped": {"a": "1"}}], r"a count in lineage\[0\].dropped is '1'"),
        (("lineage",), [{**STEP, "proposed": {"a": 1}}], r"lineage\[0\].proposed.a is 1"),
        (("counts",), GONE, "it has no 'counts'"),
        (("counts", "made"), 5, "counts.made is 5"),
        (("counts", "made", "train"), {"rows": 1}, "counts.made.train has no 'labelled'"),
    ],
)  # fmt: skip
def test_a_part_of_another_form_is_named(made: Path, where: tuple[Any, ...], value: Any, why: str) -> None:
    with pytest.raises(NotAManifest, match=why):
        Manifest(changed(made, where, value))


@pytest.mark.parametrize("command", ["stats", "validate"])
def test_a_command_says_which_manifest_is_damaged_and_where(made: Path, ferdata: Run, command: str) -> None:
    ran = ferdata(command, changed(made, ("counts",), GONE))
    assert ran.code == 1
    assert f"What {made} says of itself is damaged: it has no 'counts'." in ran.err


def test_a_manifest_of_another_version_is_told_by_its_version_whatever_else_it_says(made: Path) -> None:
    with pytest.raises(NotAManifest, match="schema version 7; this ferdata"):
        Manifest(rewritten(made, b'{"schema_version": 7}'))
