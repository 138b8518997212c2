"""Rehydrate believes nothing that a shared file says: it comes from somebody else, and may be made to do harm."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ferdata.adapters import ckplus
from ferdata.errors import BrokenSource
from ferdata.labels import EMOTIONS
from ferdata.manifest import Manifest
from ferdata.schema import is_dataset_name
from ferdata.shared_file import read
from ferdata.sources.declaration import Option
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.rehydrate import rehydrate
from ferdata.steps.share import share
from ferdata.steps.validate import validate
from tests.fakes import face, layouts, save

Where = tuple[str | int, ...]
Document = dict[str, Any]
STEP, OPTIONS, SOURCE = ("lineage", 0), ("lineage", 0, "options"), ("sources", "mine")
DELETED = object()


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Document:
    """An honest shared file of four pictures in tmp_path/photos, whose labels a map of the sender's explains.

    Whatever a shared file calls the dataset, the pictures are found: an evil one is stopped by nothing else.
    """
    monkeypatch.setenv("FERDATA_ROOT_FOLDER", str(tmp_path / "photos"))
    for i, name in enumerate(("happy/1.png", "happy/2.png", "gram/3.png", "gram/4.png")):
        save(tmp_path / "photos" / name, face(i))
    (tmp_path / "map.toml").write_text('[labels]\n"gram" = "sadness"\n')
    made = ingest(
        "folder", root=tmp_path / "photos", out=tmp_path / "m.parquet", name="mine", labels=str(tmp_path / "map.toml")
    )
    return dict(json.loads(share(made.out, out=tmp_path / "shared.json").out.read_text()))


def changed(document: Document, where: Where, value: Any) -> Document:
    """Return the document with one place of it changed; DELETED takes the place away."""
    *above, last = where
    inner: Any = document
    for word in above:
        inner = inner[word]
    if value is DELETED:
        del inner[last]
    else:
        inner[last] = value
    return document


def rehydrated(tmp_path: Path, document: Any) -> Any:
    """Rehydrate what a text or a document says, on the pictures of tmp_path/photos."""
    text = document if isinstance(document, str) else json.dumps(document)
    (tmp_path / "evil.json").write_text(text)
    return rehydrate(tmp_path / "evil.json", out=tmp_path / "out" / "o.parquet", root=[f"mine={tmp_path}/photos"])


def refused(tmp_path: Path, document: Any, message: str) -> None:
    """Check that a shared file is refused by what is wrong with it, and that no file came, went or changed."""
    (tmp_path / "evil.json").touch()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "evil.json"}
    with pytest.raises(BrokenSource, match=message) as caught:
        rehydrated(tmp_path, document)
    assert "evil.json is no shared file" in caught.value.message
    assert "ferdata share M -o" in caught.value.hint
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "evil.json"}
    assert after == before


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ((*STEP, "dataset"), "../../planted", r"lineage\[0\].dataset is '../../planted', and a dataset's name is"),
        ((*STEP, "dataset"), "..", r"dataset is '..'"),
        ((*STEP, "dataset"), "/planted", r"dataset is '/planted'"),
        ((*STEP, "dataset"), "a\\b", r"dataset is 'a"),
        ((*STEP, "dataset"), "yours", r"dataset is 'yours', where 'mine' is read"),
        ((*OPTIONS, "name"), "yours", r"dataset is 'mine', where 'yours' is read"),
        ((*STEP, "adapter"), "../x", r"lineage\[0\].adapter is '../x'"),
        ((*STEP, "adapter"), "os", r"adapter is 'os'"),
        ((*STEP, "adapter"), "jaffe", r"jaffe's own alone \(label_source\)"),
        (
            (*OPTIONS, "force"),
            True,
            r"lineage\[0\].options sets 'force'.*folder's own alone \(name, labels, synthetic\)",
        ),
        ((*OPTIONS, "engine"), "ray", "sets 'engine'"),
        ((*OPTIONS, "address"), "127.0.0.1:1", "sets 'address'"),
        ((*OPTIONS, "root"), "/etc", "sets 'root'"),
        ((*OPTIONS, "out"), "planted.parquet", "sets 'out'"),
        ((*OPTIONS, "workers"), "8", "sets 'workers'"),
        ((*OPTIONS, "resume"), True, "sets 'resume'"),
        ((*OPTIONS, "unknown_labels"), "refuse", "sets 'unknown_labels'"),
        ((*OPTIONS, "a b"), "1", "sets 'a b'"),
        ((*OPTIONS, "synthetic"), "perhaps", "options.synthetic is 'perhaps', none of yes, no"),
        ((*OPTIONS, "synthetic"), True, "options.synthetic is True, where text belongs"),
    ],
)
def test_a_shared_file_may_say_what_to_read_and_nothing_else(
    tmp_path: Path, document: Document, where: Where, value: Any, message: str
) -> None:
    refused(tmp_path, changed(document, where, value), message)


def test_a_dataset_named_after_a_path_is_refused_in_every_part_of_a_shared_file(
    tmp_path: Path, document: Document
) -> None:
    evil = json.dumps(document).replace('"mine', '"../../mine')
    refused(tmp_path, evil, "a name in sources is '../../mine'")


def test_no_word_of_a_shared_file_becomes_a_path(
    tmp_path: Path, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def noted(*adapter: str, out: Path, labels: str, **options: Any) -> None:
        written.extend((out, Path(labels)))
        ingest(*adapter, out=out, labels=labels, **options)

    monkeypatch.setattr("ferdata.steps.rehydrate.ingest", noted)
    assert rehydrated(tmp_path, document).same
    assert [path.name for path in written] == ["0.parquet", "0.toml"]


@pytest.mark.parametrize("option", ["table", "image_folder", "label_column"])
@pytest.mark.parametrize(
    "value", ["../secret.csv", "a/../../b", "..", "/etc/passwd", "~/x", "C:\\x", "C:x", "\\\\host\\x", "a\0"]
)
def test_an_option_that_leads_out_of_the_datasets_folder_is_refused(
    tmp_path: Path, document: Document, option: str, value: str
) -> None:
    document["lineage"][0] |= {"adapter": "csv", "options": {"name": "mine", option: value}}
    refused(tmp_path, document, rf"options.{option} is .*no file outside a dataset's folder")


def test_a_table_within_the_datasets_folder_is_read(tmp_path: Path) -> None:
    save(tmp_path / "photos" / "pictures" / "1.png", face(1))
    (tmp_path / "photos" / "lists").mkdir()
    (tmp_path / "photos" / "lists" / "a.csv").write_text("image,label\n1.png,happy\n")
    options = {"name": "mine", "table": "lists/a.csv", "image_folder": "pictures"}
    made = ingest("csv", root=tmp_path / "photos", out=tmp_path / "m.parquet", **options)
    written = share(made.out, out=tmp_path / "shared.json").out.read_text()
    assert rehydrated(tmp_path, written).same


def test_the_senders_label_map_is_taken_from_the_shared_file_and_never_from_a_file(
    tmp_path: Path, document: Document
) -> None:
    (tmp_path / "map.toml").write_text("a secret")
    done = rehydrated(tmp_path, changed(document, (*OPTIONS, "labels"), str(tmp_path / "map.toml")))
    assert "labels" not in read(tmp_path / "evil.json").parts[0].options
    assert done.same
    assert Manifest(done.out).table("label")["label"].to_pylist() == ["sadness"] * 2 + ["happiness"] * 2
    assert validate(done.out, images=True) == 4
    assert [path.name for path in done.out.parent.iterdir()] == ["o.parquet"]


def test_an_option_called_labels_that_is_a_choice_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = Option("labels", "Which labels to read.", "fine", ("fine", "coarse"))
    monkeypatch.setattr(ckplus, "SOURCE", replace(ckplus.SOURCE, options=(*ckplus.SOURCE.options, choice)))
    layouts()["ckplus", "ck48"](tmp_path)
    made = ingest("ckplus", root=tmp_path, out=tmp_path / "m.parquet", labels="coarse")
    written = share(made.out, out=tmp_path / "shared.json").out
    assert rehydrate(written, out=tmp_path / "o.parquet", root=[f"ckplus={tmp_path}"]).same


def test_what_a_shared_file_says_of_labels_that_need_no_map_is_not_believed(tmp_path: Path, document: Document) -> None:
    document["lineage"][0]["options"]["labels"] = None
    done = rehydrated(tmp_path, changed(document, (*SOURCE, "labels"), {"happy": "fear", "gram": "fear"}))
    assert Manifest(done.out).table("label")["label"].to_pylist() == [None] * 2 + ["happiness"] * 2
    assert validate(done.out) == 4


def test_class_names_of_any_letters_and_marks_keep_their_meaning(tmp_path: Path) -> None:
    odd = ['it"s', "back\\slash", "new\nline", "del\x7f", "tab\tbed", "grün", "😀", "#", "[labels]", "a.b", "'''", "{}"]
    rows = "".join(f'{i}.png,"{name.replace(chr(34), chr(34) * 2)}"\n' for i, name in enumerate(odd))
    for i in range(len(odd)):
        save(tmp_path / "photos" / f"{i}.png", face(i))
    (tmp_path / "photos" / "t.csv").write_text("image,label\n" + rows, encoding="utf-8")
    said = "".join(f"{json.dumps(name, ensure_ascii=False)} = 'fear'\n" for name in odd).replace("\x7f", "\\u007f")
    (tmp_path / "map.toml").write_text("[labels]\n" + said, encoding="utf-8")
    options = {"name": "mine", "labels": str(tmp_path / "map.toml")}
    made = ingest("csv", root=tmp_path / "photos", out=tmp_path / "m.parquet", **options)
    written = share(made.out, out=tmp_path / "shared.json").out.read_text()
    (tmp_path / "map.toml").unlink()
    done = rehydrated(tmp_path, written)
    assert done.same
    assert set(Manifest(done.out).table("label")["label"].to_pylist()) == {"fear"}


def test_a_shared_file_names_the_senders_files_but_not_their_folders(tmp_path: Path, document: Document) -> None:
    classes = tmp_path / "two.toml"
    classes.write_text('classes = ["+", "-"]\n[mapping]\nhappiness = "+"\nsadness = "-"\n')
    merged = merge(tmp_path / "m.parquet", out=tmp_path / "merged.parquet", taxonomy=str(classes)).out
    text = share(merged, out=tmp_path / "merged.json").out.read_text()
    assert str(tmp_path) not in text
    step = json.loads(text)["lineage"][0]
    assert step["options"]["taxonomy"] == "two.toml"
    assert step["inputs"][0]["lineage"][0]["options"]["labels"] == "map.toml"
    done = rehydrated(tmp_path, text)
    assert done.same
    assert set(Manifest(done.out).table("target")["target"].to_pylist()) == {"+", "-"}


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
        (("rows", "split"), "test", "rows.split is 'test', where a list belongs"),
        (("rows", "image"), [b"".hex()] * 4, "rows holds 'image', which no shared file has"),
        (("rows", "split", 0), 5, "rows.split: Expected bytes, got a 'int'"),
        (("rows", "split", 0), "nowhere", "rows.split holds 'nowhere', none of train, val, test"),
        (("rows", "split_reason", 0), "whim", "rows.split_reason holds 'whim'"),
        (("rows", "label", 0), "bliss", "rows.label holds 'bliss'"),
        (("rows", "reviewed_label", 0), "bliss", "rows.reviewed_label holds 'bliss'"),
        (("rows", "split", 0), "\ud800", "rows.split: .*surrogates"),
        (("rows", "group", 0), 2**70, "rows.group: "),
        (("rows", "group", 0), 1.5, "rows.group holds what is no int64"),
        (("rows", "group", 0), -1, "rows.group holds a number below 0"),
        (("rows", "fold", 0), True, "rows.fold: "),
        (("rows", "review", 0), {"by": "me", "shell": "rm"}, "rows.review holds what is no struct"),
        (("rows", "pixel_hash", 0), None, "rows.pixel_hash lacks 1 of its values"),
        (("rows", "sample_id", 0), "mine:happy/1.png", "rows.sample_id holds an id twice"),
        (("rows", "sample_id", 0), "yours:1", "rows.sample_id holds rows of 'yours'"),
        (("vote_policy",), "x", "vote_policy is 'x', none of majority"),
        (("taxonomy", "mapping", "happiness"), "x", "taxonomy.classes are"),
        (("taxonomy", "mapping", "bliss"), "fear", "taxonomy.mapping holds 'bliss'"),
        (("taxonomy", "classes"), [*EMOTIONS, "neutral"], "taxonomy.classes are"),
        (("taxonomy",), {"name": "none", "classes": [], "mapping": {}}, "taxonomy.classes are"),
        (("taxonomy", "classes", 0), ["neutral"], "a class of the taxonomy is"),
        (("taxonomy", "name"), 5, "taxonomy.name is 5, where text belongs"),
        (SOURCE, None, "sources.mine is None"),
        ((*SOURCE, "title"), DELETED, "sources.mine has no 'title'"),
        ((*SOURCE, "citation"), 5, "sources.mine.citation is 5, where text belongs"),
        ((*SOURCE, "commercial"), "no", "sources.mine.commercial is 'no', where true, false or null"),
        ((*SOURCE, "labels"), [], "sources.mine.labels is "),
        ((*SOURCE, "labels", "happy"), "bliss", "sources.mine.labels takes 'happy' to 'bliss'"),
        ((*SOURCE, "labels", "happy"), ["fear"], "sources.mine.labels takes 'happy' to "),
        ((*SOURCE, "differences"), [5], "a difference in sources.mine is 5"),
        ((*SOURCE, "strange_names"), "5", "sources.mine.strange_names is '5'"),
        ((*SOURCE, "strange_names"), True, "sources.mine.strange_names is True"),
        (STEP, None, r"lineage\[0\] is None"),
        ((*STEP, "step"), DELETED, r"lineage\[0\] has no 'step'"),
        ((*STEP, "options"), [], r"lineage\[0\].options is \[\], where a table"),
        ((*STEP, "inputs"), {}, r"lineage\[0\].inputs is {}, where a list"),
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
    refused(tmp_path, document | {"sources": other}, "dataset is 'mine', which is none of its sources")


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
        ("[1]", r"it is \[1\], where a table"),
        ('{"format": NaN}', "its format is nan"),
        ('{"format": ' + "9" * 10_000 + "}", "Exceeds the limit"),
        ('{"format": "ferdata share 2"}', "its format is 'ferdata share 2', where 'ferdata share 1' belongs"),
        ('{"format": "ferdata share 1"}', "it has no 'vote_policy'"),
    ],
)
def test_a_text_that_is_no_shared_file_is_refused_by_what_it_is(tmp_path: Path, text: str, message: str) -> None:
    refused(tmp_path, text, message)


def test_half_a_character_in_a_name_is_refused(tmp_path: Path, document: Document) -> None:
    refused(tmp_path, changed(document, (*SOURCE, "title"), "\udcff"), "surrogates not allowed")


@pytest.mark.parametrize("name", ["mine", "CK+48", "my faces", "gesichter-grün", "顔", "a.b", "x_1", "a" * 100])
def test_a_name_that_a_dataset_may_have(name: str) -> None:
    assert is_dataset_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "a\\b", "..", ".a", "a.", " a", "a ", "-a", "a:b", "a=b", "a,b", "a\nb", "a\0", "\ud800", "顔" * 40],
)
def test_a_name_that_no_dataset_may_have(name: str) -> None:
    assert not is_dataset_name(name)
