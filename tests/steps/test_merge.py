"""Merge: every row of every input, one taxonomy, no leak; and what the real FER+ and CK+ give."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ferdata.errors import AlreadyExists, BadOption, NotAManifest
from ferdata.manifest import Manifest
from ferdata.steps.merge import merge
from ferdata.steps.validate import validate
from tests.conftest import MakeManifest


def test_every_row_of_every_input_is_in_the_output(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest({"native_label": "fear"}, {"native_label": None}, name="a")
    b = make_manifest({"native_label": "anger", "dataset": "b", "seed": 9}, name="b")
    merged = merge(a, b, out=tmp_path / "m.parquet")
    opened = Manifest(merged.out)
    assert opened.table("sample_id")["sample_id"].to_pylist() == ["made:0000", "made:0001", "b:0000"]
    assert set(opened.sources) == {"made", "b"}
    assert validate(merged.out, images=True) == 3


def test_a_copy_of_a_test_picture_leaves_train_and_is_counted(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest(
        {"native_label": "fear", "official_split": "train", "seed": 1},
        {"native_label": "fear", "official_split": "test", "seed": 1},
        {"native_label": "fear", "official_split": "train", "seed": 2},
        {"native_label": "fear", "official_split": "val", "seed": 3},
    )
    merged = merge(a, out=tmp_path / "m.parquet")
    assert Manifest(merged.out).table("split")["split"].to_pylist() == [None, "test", "train", "val"]
    assert merged.parts["made"].left_out == {"group_in_test": 1}
    assert (merged.identical, merged.images, merged.across) == (1, 2, {"train-test": 1})


def test_the_taxonomy_and_the_policy_are_applied_to_all(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest({"native_label": "contempt"}, {"votes": [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]})
    merged = merge(a, out=tmp_path / "m.parquet", taxonomy="basic7", votes="crossentropy")
    rows = Manifest(merged.out).table("label", "target").to_pylist()
    assert rows == [{"label": "contempt", "target": None}, {"label": "neutral", "target": "neutral"}]


def test_the_same_inputs_and_options_give_the_same_fingerprint(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest(*[{"native_label": "fear"}] * 20)
    prints = [merge(a, out=tmp_path / f"{i}.parquet", seed=seed).fingerprint for i, seed in enumerate((0, 0, 5))]
    assert prints[0] == prints[1] != prints[2]


def test_inputs_are_not_changed_and_never_the_output(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest({"native_label": "fear"})
    before = a.read_bytes()
    with pytest.raises(AlreadyExists, match="is an input"):
        merge(a, out=a, force=True)
    merge(a, out=tmp_path / "m.parquet")
    assert a.read_bytes() == before


def test_the_same_dataset_twice_is_refused(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest({"native_label": "fear"}, name="a")
    b = make_manifest({"native_label": "fear"}, name="b")
    with pytest.raises(BadOption, match="ids collide"):
        merge(a, b, out=tmp_path / "m.parquet")


def test_policies_that_differ_must_be_chosen_between(make_manifest: MakeManifest, tmp_path: Path) -> None:
    voted = {"votes": [9, 1, 0, 0, 0, 0, 0, 0, 0, 0]}
    a = make_manifest(voted, name="a")
    b = make_manifest(voted | {"dataset": "b"}, name="b", policy="crossentropy")
    with pytest.raises(BadOption, match="differently"):
        merge(a, b, out=tmp_path / "m.parquet")
    assert merge(a, b, out=tmp_path / "m.parquet", votes="majority").rows == 2


def test_something_else_among_the_inputs_is_named(make_manifest: MakeManifest, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("x")
    with pytest.raises(NotAManifest, match=r"x\.parquet is not a Parquet file"):
        merge(make_manifest({"native_label": "fear"}), tmp_path / "x.parquet", out=tmp_path / "m.parquet")


def test_a_killed_merge_leaves_no_manifest_and_the_next_succeeds(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest(*[{"native_label": "fear", "seed": i % 7} for i in range(300)])
    out = tmp_path / "out" / "m.parquet"
    code = (
        "import sys, time; from ferdata import manifest; from ferdata.steps import merge\n"
        "write = manifest.conform\n"
        "def slow(batch): print('row', flush=True); time.sleep(60); return write(batch)\n"
        "manifest.conform = slow\n"
        "merge.merge(sys.argv[1], out=sys.argv[2])"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(a), str(out)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "row\n"
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    assert merge(a, out=out).rows == 300
    assert [p.name for p in out.parent.iterdir()] == ["m.parquet"]
