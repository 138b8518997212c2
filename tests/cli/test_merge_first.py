import json
import re

import pytest

from ferdata.manifest import Manifest
from tests.conftest import REPOSITORY, picture
from tests.zoo.conftest import SHAPES, write_shapes
from zoo.training.train import train

QUICK = ("--size", 32, "--batch", 16, "--epochs", 1, "--augment", "none", "--device", "cpu")
OFFICIAL = {"train": 400, "test": 40}
COPIES = 4  # test faces that stand in train too


def only_ingested(path, official=OFFICIAL):
    """Write faces as ingest leaves them: official splits without val, nothing grouped; the last of test are copies."""
    rows = []
    for split, count in official.items():
        for i in range(count):
            copy = split == "test" and i >= count - COPIES
            seed = i if copy else len(rows)
            emotion = SHAPES[seed % len(SHAPES)]
            rows.append({"native_label": emotion, "official_split": split, "pixels": picture(seed, 32)})
    return write_shapes(path, rows)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    return only_ingested(tmp_path_factory.mktemp("ingested") / "rafdb.parquet")


def splits_of(path):
    table = Manifest(path).table("split", "official_split", "split_reason")
    return table.group_by(["official_split", "split", "split_reason"]).aggregate([([], "count_all")]).to_pylist()


@pytest.fixture
def ran(ferdata, ingested):
    found = ferdata("train", "--manifest", ingested, *QUICK, "-o", "runs/one")
    assert found.code == 0, found
    return found


def test_it_is_merged_into_the_runs_folder_and_three_lines_say_so(ran, ingested, tmp_path):
    before = ran.out.split("epoch")[0].splitlines()
    assert f"{ingested} has no splits yet" in before[0]
    assert before[1].startswith("Splits: 356 train, 40 val sampled from train, 40 test (the official test, complete)")
    assert "4 same picture, subject or clip in test" in before[1]
    assert "--as-is" in before[2]
    made = {(r["official_split"], r["split"], r["split_reason"]): r["count_all"] for r in
            splits_of(tmp_path / "runs/one/manifest.parquet")}  # fmt: skip
    assert made == {
        ("test", "test", None): 40,
        ("train", "train", None): 356,
        ("train", "val", "val_from_train"): 40,
        ("train", None, "group_in_test"): 4,
    }


def test_the_page_on_training_names_every_file_that_is_in_the_folder(ran, tmp_path):
    page = (REPOSITORY / "docs" / "training.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w./*]+)`", page.split("## What a run's folder holds")[1].split("\n## ")[0])
    run = tmp_path / "runs/one"
    files = [path.relative_to(run) for path in run.rglob("*") if path.is_file()]
    assert [file for file in files if not any(file.match(name) or file.stem == name for name in named)] == []


def test_the_report_and_the_card_say_who_made_the_splits(ran, ingested, tmp_path):
    report = json.loads((tmp_path / "runs/one/report.json").read_text())
    made = report["protocol"]["split_by"]
    assert made["step"] == "merge"
    assert made["options"]["split"] == "official"
    assert [(source["name"], source["fingerprint"]) for source in made["inputs"]] == [
        ("rafdb.parquet", Manifest(ingested).fingerprint)
    ]
    assert "Splits by `ferdata merge` of rafdb.parquet" in (tmp_path / "runs/one/card.md").read_text()


def test_it_says_what_merge_says(ran, ferdata, ingested, tmp_path):
    assert ferdata("merge", ingested, "-o", "merged.parquet").code == 0
    assert Manifest(tmp_path / "merged.parquet").fingerprint == (
        Manifest(tmp_path / "runs/one/manifest.parquet").fingerprint
    )


def test_a_second_run_with_force_takes_the_same_splits_from_before(ran, ferdata, ingested, tmp_path):
    made = tmp_path / "runs/one/manifest.parquet"
    stamp = made.stat().st_mtime_ns
    again = ferdata("train", "--manifest", ingested, *QUICK, "-o", "runs/one", "--force")
    assert again.code == 0, again
    assert "from an earlier merge" in again.out
    assert made.stat().st_mtime_ns == stamp


def test_a_manifest_of_somebody_else_in_its_place_is_not_replaced(ferdata, ingested, tmp_path):
    other = only_ingested(tmp_path / "runs/two/manifest.parquet", {"train": 40, "test": 8})
    before = other.read_bytes()
    refused = ferdata("train", "--manifest", ingested, *QUICK, "-o", "runs/two")
    assert refused.code == 1
    assert "already exists" in refused.err
    assert other.read_bytes() == before


def test_a_run_cut_short_goes_on_with_its_own_splits(ferdata, ingested, monkeypatch, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("zoo.training.loop.learn_epoch", stop)
        assert ferdata("train", "--manifest", ingested, *QUICK, "-o", "run").code == 130
    resumed = ferdata("train", "--manifest", ingested, "-o", "run", "--resume")
    assert resumed.code == 0, resumed
    assert json.loads((tmp_path / "run/report.json").read_text())["training"]["n_val"] == 40


def test_a_dry_run_advises_about_the_manifest_that_was_named(ferdata, tmp_path):
    path = only_ingested(tmp_path / "no-test.parquet", {"train": 200})
    found = ferdata("train", "--manifest", path, *QUICK, "--dry-run")
    assert found.code == 1
    assert f"{path} has no test split" in found.err
    assert f"ferdata merge {path} --split 0.8,0.1,0.1" in found.err


def test_a_dry_run_leaves_nothing_behind(ferdata, ingested, tmp_path):
    rehearsed = ferdata("train", "--manifest", ingested, *QUICK, "-o", "run", "--dry-run")
    assert rehearsed.code == 0, rehearsed
    assert "356 train, 40 val, 40 test" in rehearsed.out
    assert not (tmp_path / "run").exists()


def test_a_wrong_name_is_refused_before_anything_is_merged(ferdata, ingested, tmp_path):
    refused = ferdata("train", "--manifest", ingested, "--backbone", "resnet_ferr", "-o", "run")
    assert refused.code == 1
    assert "Did you mean resnet_fer" in refused.err
    assert "merging" not in refused.out + refused.err
    assert not (tmp_path / "run").exists()


def test_as_is_and_the_library_refuse_with_a_mend_that_keeps_the_official_test(ferdata, ingested, tmp_path):
    refused = ferdata("train", "--manifest", ingested, *QUICK, "-o", "run", "--as-is")
    assert refused.code == 1
    assert f"ferdata merge {ingested} -o merged.parquet" in refused.err
    assert "--split" not in refused.err
    with pytest.raises(Exception, match="no val split"):
        train(ingested, tmp_path / "run", size=32, epochs=1, device="cpu")


def test_a_set_whose_official_test_is_not_here_is_told_how_to_draw_one(ferdata, tmp_path):
    train_alone = only_ingested(tmp_path / "half.parquet", {"train": 440})
    refused = ferdata("train", "--manifest", train_alone, *QUICK, "-o", "run")
    assert refused.code == 1
    assert "has no test split" in refused.err
    assert "--split 0.8,0.1,0.1" in refused.err


def test_folds_are_never_merged_first(ferdata, ingested):
    refused = ferdata("train", "--manifest", ingested, *QUICK, "-o", "run", "--fold", 0)
    assert refused.code == 1
    assert "has no folds" in refused.err
    assert ferdata("train", "--manifest", ingested, "--as-is", "--fold", 0).code == 2
