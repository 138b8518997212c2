"""Publish: a folder that the Hub and its readers take as it is, which says the manifest's own numbers."""

import hashlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ferdata.errors import AlreadyExists, BadOption, BrokenSource, CannotWrite
from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.publish import publish
from ferdata.steps.rehydrate import rehydrate
from tests.conftest import MakeManifest, Ran
from tests.fakes import face, layouts, save
from tests.publishing.conftest import mine as mine
from tests.publishing.hub import croissant, front_matter, opened, records, table

OWN = ["mine=cc-by-4.0"]
HUB = {"train": "train", "val": "validation", "test": "test", "none": "no_split"}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a merge of FER+, whose votes may be passed on, and CK+, of which nothing may."""
    root = tmp_path_factory.mktemp("closed")
    for folder, dataset, layout in (("a", "ferplus", "png"), ("b", "ckplus", "ck48")):
        (root / folder).mkdir()
        layouts()[dataset, layout](root / folder)
    one = ingest("ferplus", root=root / "a", out=root / "one.parquet")
    two = ingest("ckplus", root=root / "b", out=root / "two.parquet")
    return merge(one.out, two.out, out=root / "closed.parquet").out


def counts(path: Path) -> dict[str, tuple[int, int]]:
    """Return rows and labelled rows of each split, by the Hub's names, as the manifest's metadata count them."""
    found: dict[str, tuple[int, int]] = {}
    for splits in Manifest(path).metadata["counts"].values():
        for split, n in splits.items():
            rows, labelled = found.get(HUB[split], (0, 0))
            found[HUB[split]] = (rows + n["rows"], labelled + n["labelled"])
    return found


@pytest.mark.parametrize("form", ["parquet", "csv", "imagefolder"])
def test_card_croissant_and_manifest_say_the_same_numbers(mine: Path, tmp_path: Path, form: str) -> None:
    done = publish(mine, out=tmp_path / "out", form=form, licence=OWN)
    expected = counts(mine)
    lines, document = table(done.out), croissant(done.out)
    splits = {row["name"]: (row["rows"], row["labelled"]) for row in records(document, "splits")}
    assert splits == expected
    assert {name: (lines["rows"][i], lines["with a label"][i]) for i, name in enumerate(splits)} == expected
    assert lines["rows"][-1] == done.rows == Manifest(mine).rows
    target = Manifest(mine).table("target")["target"].to_pylist()
    for row in records(document, "labels"):
        assert row["rows"] == lines[row["name"]][-1] == target.count(row["name"])
    assert Manifest(mine).fingerprint in document["description"]
    if form == "parquet":
        there = {split["name"]: split["num_examples"] for split in front_matter(done.out)["dataset_info"]["splits"]}
        assert there == {name: rows for name, (rows, _) in expected.items()}


def test_datasets_opens_it_with_images_and_class_names(mine: Path, tmp_path: Path) -> None:
    done = publish(mine, out=tmp_path / "out", licence=OWN)
    code = (
        "print({name: len(split) for name, split in data.items()})\n"
        "row = data['test'][0]\n"
        "print(row['image'].size, data['test'].features['label'].int2str(row['label']), row['sample_id'])\n"
        "print(data['train'].features['label'].names == " + repr(list(Manifest(mine).taxonomy.classes)) + ")\n"
        "print(data['train']['label'].count(None), data['train'].features['image'])"
    )
    lines = opened(done.out, code, tmp_path / "cache").splitlines()
    assert lines[0] == str(dict(done.splits))
    assert lines[1] == "(24, 24) happiness mine:test/happy/7.jpg"
    assert lines[2:] == ["True", "1 Image(mode=None, decode=True)"]
    head = front_matter(done.out)
    assert (head["license"], head["size_categories"]) == ("cc-by-4.0", ["n<1K"])


@pytest.mark.parametrize(("form", "names"), [("csv", 8), ("imagefolder", 3)])
def test_datasets_opens_the_other_forms_too(mine: Path, tmp_path: Path, form: str, names: int) -> None:
    done = publish(mine, out=tmp_path / "out", form=form, licence=OWN)
    code = "print({n: len(s) for n, s in data.items()}, len(data['train'].features['label'].names))"
    wanted = {"train": 16 if form == "csv" else 15, "validation": 6, "test": 6}
    assert opened(done.out, code, tmp_path / "cache").strip() == f"{wanted} {names}"


def test_class_folders_hold_the_image_files_as_they_were(mine: Path, tmp_path: Path) -> None:
    out = publish(mine, out=tmp_path / "out", form="imagefolder", licence=OWN).out
    rows = pd.read_csv(out / "annotations.csv")
    assert sorted(p.name for p in (out / "data" / "train").iterdir()) == ["happiness", "neutral", "sadness"]
    assert len(rows) == sum(p.is_file() for p in (out / "data").rglob("*")) == 27
    row = rows[rows["sample_id"] == "mine:train/happy/0.png"].iloc[0]
    data = (out / row["file_name"]).read_bytes()
    assert data == (mine.parent / "photos" / "train" / "happy" / "0.png").read_bytes()
    assert row["sha256"] == hashlib.sha256(data).hexdigest()


def test_without_the_right_to_the_pixels_all_but_them_is_published_and_rebuilt(closed: Path, tmp_path: Path) -> None:
    done = publish(closed, out=tmp_path / "out")
    assert not done.pixels
    assert done.forbidding == ("ferplus", "ckplus")
    assert {p.suffix for p in done.out.rglob("*") if p.is_file()} == {".md", ".json", ".parquet"}
    rows = pd.concat(pd.read_parquet(p) for p in sorted((done.out / "data").iterdir()))
    assert "image" not in rows
    assert len(rows) == Manifest(closed).rows
    voted = rows.groupby("dataset")["votes"].count()
    assert voted["ferplus"] == (rows["dataset"] == "ferplus").sum()
    assert "subject" not in rows  # CK+'s people are its publishers' to name
    assert rows[rows["dataset"] == "ckplus"]["official_split"].isna().all()
    roots = [f"ferplus={closed.parent}/a", f"ckplus={closed.parent}/b"]
    assert rehydrate(done.out / "shared.json", out=tmp_path / "again.parquet", root=roots).same


def test_pixels_are_refused_with_the_names_of_the_sources(closed: Path, mine: Path, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"CK\+ \(Extended Cohn-Kanade\) \(ckplus: CK\+ user agreement\)") as error:
        publish(closed, out=tmp_path / "out", pixels=True)
    assert "FER+ (FERPlus) (ferplus:" in error.value.message
    assert "--licence" not in error.value.hint
    with pytest.raises(BadOption, match="Class folders") as own:
        publish(mine, out=tmp_path / "out", pixels=True)
    assert "--licence mine=cc-by-4.0" in own.value.hint
    with pytest.raises(BadOption, match="--form imagefolder is made of images"):
        publish(closed, out=tmp_path / "out", form="imagefolder")
    assert not (tmp_path / "out").exists()


def test_one_closed_source_closes_the_whole(closed: Path, mine: Path, tmp_path: Path) -> None:
    both = merge(closed, mine, out=tmp_path / "both.parquet").out
    done = publish(both, out=tmp_path / "out", licence=OWN)
    assert (done.pixels, done.forbidding, done.licence) == (False, ("ferplus", "ckplus"), "other")


def test_pixels_can_be_left_out_of_ones_own(mine: Path, tmp_path: Path) -> None:
    done = publish(mine, out=tmp_path / "out", pixels=False, licence=OWN)
    assert (done.pixels, done.forbidding) == (False, ())
    assert (done.out / "shared.json").is_file()
    assert records(croissant(done.out), "labels")
    assert "image" not in pd.read_parquet(next((done.out / "data").iterdir()))


def test_an_image_that_has_changed_is_not_published(tmp_path: Path) -> None:
    for i, name in enumerate(("happy/1.png", "sad/2.png")):
        save(tmp_path / "photos" / name, face(i))
    made = ingest("folder", root=tmp_path / "photos", out=tmp_path / "m.parquet", name="mine").out
    save(tmp_path / "photos" / "sad" / "2.png", face(7))
    with pytest.raises(BrokenSource, match=r"mine:sad/2\.png is not the one that was ingested"):
        publish(made, out=tmp_path / "out", licence=OWN)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.parquet", "photos"]


def test_the_output_replaces_only_what_publish_wrote(mine: Path, tmp_path: Path) -> None:
    out = publish(mine, out=tmp_path / "out", licence=OWN).out
    with pytest.raises(AlreadyExists, match="already exists"):
        publish(mine, out=out, licence=OWN)
    publish(mine, out=out, form="csv", licence=OWN, force=True)
    assert sorted(p.name for p in out.iterdir()) == ["README.md", "croissant.json", "data", "images"]
    (out / ".git").mkdir()
    with pytest.raises(CannotWrite, match=r"holds other files, such as \.git"):
        publish(mine, out=out, licence=OWN, force=True)


@pytest.mark.parametrize("place", ["photos", "photos/out", "mine.parquet", "."])
def test_the_output_is_no_input_and_neither_in_nor_around_one(mine: Path, place: str) -> None:
    with pytest.raises(AlreadyExists, match="is an input, or inside or around one"):
        publish(mine, out=mine.parent / place, licence=OWN, force=True)
    assert Manifest(mine).rows == 28


def test_words_of_a_manifest_put_no_html_and_no_yaml_into_the_card(make_manifest: MakeManifest, tmp_path: Path) -> None:
    path = make_manifest({"native_label": "fear", "sample_id": "made:<b>|x"})
    out = publish(path, out=tmp_path / "a: [b", repo="me/a.b").out
    assert front_matter(out)["pretty_name"] == "a.b"
    plain = publish(path, out=tmp_path / "--- a: <script>").out
    assert front_matter(plain)["pretty_name"] == "--- a: <script>"
    assert "<script>" not in (plain / "README.md").read_text().split("---\n", 2)[2]


def test_shards_are_cut_by_size_and_numbered(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferdata.publishing.files.SHARD_BYTES", 1)
    monkeypatch.setattr("ferdata.publishing.files.GROUP_BYTES", 1)
    monkeypatch.setattr("ferdata.publishing.columns.AT_ONCE", 8)
    out = publish(mine, out=tmp_path / "out", licence=OWN).out
    train = sorted(p.name for p in (out / "data").glob("train-*"))
    assert train[0].startswith("train-00000-of-0000")
    assert train[0].endswith(f"{len(train):05}.parquet")
    ids = pd.concat(pd.read_parquet(p, columns=["sample_id"]) for p in sorted((out / "data").iterdir()))["sample_id"]
    assert sorted(ids) == sorted(Manifest(mine).table("sample_id")["sample_id"].to_pylist())


def test_the_command_says_what_was_published(ferdata: Callable[..., Ran], closed: Path) -> None:
    done = ferdata("publish", str(closed), "-o", "out")
    assert done.code == 0
    assert "no: redistribution not allowed, or not known to be, by ferplus, ckplus" in done.out
    assert ferdata("publish", str(closed), "-o", "other", "--pixels").code == 1


def test_ctrl_c_leaves_nothing_half_written(mine: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; from ferdata.publishing import columns\n"
        "def slow(*a): print('begun', flush=True); time.sleep(60)\n"
        "columns._check = slow\n"
        "from ferdata.cli import main; sys.argv[0] = 'ferdata'; main()"
    )
    options = ["publish", str(mine), "-o", str(tmp_path / "out"), "--licence", OWN[0]]
    with subprocess.Popen(
        [sys.executable, "-c", code, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in said
    assert list(tmp_path.iterdir()) == []
