"""Rehydrate believes nothing that a shared file says: it comes from somebody else, and may be made to do harm."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ferdata.adapters import ckplus
from ferdata.manifest import Manifest
from ferdata.shared_file import read
from ferdata.sources.declaration import Option
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.rehydrate import rehydrate
from ferdata.steps.share import share
from ferdata.steps.validate import validate
from tests.fakes import face, layouts, save
from tests.steps.shared_documents import OPTIONS, SOURCE, STEP, Document, Where, changed, refused, rehydrated


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
        ((*STEP, "adapter"), "jaffe", r"only the options of jaffe \(label_source\)"),
        (
            (*OPTIONS, "force"),
            True,
            r"lineage\[0\].options sets 'force'.*only the options of folder \(name, labels, synthetic\)",
        ),
        ((*OPTIONS, "engine"), "ray", "sets 'engine'"),
        ((*OPTIONS, "address"), "127.0.0.1:1", "sets 'address'"),
        ((*OPTIONS, "root"), "/etc", "sets 'root'"),
        ((*OPTIONS, "out"), "planted.parquet", "sets 'out'"),
        ((*OPTIONS, "workers"), "8", "sets 'workers'"),
        ((*OPTIONS, "resume"), True, "sets 'resume'"),
        ((*OPTIONS, "unknown_labels"), "refuse", "sets 'unknown_labels'"),
        ((*OPTIONS, "a b"), "1", "sets 'a b'"),
        ((*OPTIONS, "synthetic"), "perhaps", "options.synthetic is 'perhaps', not one of yes, no"),
        ((*OPTIONS, "synthetic"), True, "options.synthetic is True, expected text"),
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
    refused(tmp_path, document, rf"options.{option} is .*may not name files outside a dataset's folder")


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
