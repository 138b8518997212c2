"""Pack: what it makes ahead of time is what a training opens."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.running import cache
from ferdata.steps.pack import pack
from tests.conftest import MakeManifest, Ran

SIDES = ("train", "train", "train", "val", "test")
DIVIDED = [4, 0, 0, 0, 4, 0, 0, 0, 1, 1]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def made(make_manifest: MakeManifest) -> Path:
    """Twenty rows: some without a majority, some without a label, five folds."""
    rows = [
        {"native_label": "anger" if i % 2 else "fear", "split": SIDES[i % 5], "group": i, "fold": i % 5}
        for i in range(20)
    ]
    rows[5] |= {"votes": DIVIDED}
    rows[6] |= {"native_label": None}
    rows[8] |= {"votes": DIVIDED}
    return make_manifest(*rows)


@pytest.mark.parametrize("fold", [None, 3])
@pytest.mark.parametrize("targets", ["crossentropy", "majority", "multi_target"])
def test_a_training_finds_what_was_packed_ahead(made: Path, targets: str, fold: int | None) -> None:
    pytest.importorskip("torch")
    from zoo.data import rows as data

    done = pack(made, size=32, fold=fold)
    rows = data.read_rows(Manifest(made), fold=fold, targets=targets)
    where = data.of_split(rows, targets)
    data.load(rows, where, 32, 1)
    assert {entry.key for entry in cache.entries()} == {each.path.parent.name for each in done.sides if each.path}


def test_it_says_what_it_made_and_makes_it_once(made: Path) -> None:
    first, second = pack(made), pack(made)
    assert [(s.split, s.shape, s.made) for s in first.sides] == [
        ("train", (11, 48, 48, 1), True), ("val", (4, 48, 48, 1), True), ("test", (4, 48, 48, 1), True)
    ]  # fmt: skip
    assert (first.images, second.images) == (19, 0)
    assert first.size == sum(np.prod(s.shape) for s in first.sides)
    assert not any(s.made for s in second.sides)


def test_a_manifest_without_labelled_rows_on_a_side_is_refused(make_manifest: MakeManifest) -> None:
    path = make_manifest({"native_label": "fear"}, {"native_label": "fear"})
    with pytest.raises(BadOption, match="no labelled row in train, val, test"):
        pack(path)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"size": 4}, "--size"), ({"channels": 2}, "--channels"), ({"split": ["dev"]}, "no split 'dev'")],
)
def test_options_of_no_use_are_refused(made: Path, options: dict, said: str) -> None:
    with pytest.raises(BadOption, match=said):
        pack(made, **options)


def test_the_commands_pack_list_and_clear(made: Path, ferdata: Callable[..., Ran]) -> None:
    ran = ferdata("pack", made, "--size", 40, "--channels", 3, "--split", "val", "--split", "test")
    assert ran.code == 0, ran
    assert "4 x 40 x 40 x 3" in ran.out
    assert "8 images in" in ran.out
    assert "nothing: all of it was there" in ferdata("pack", made, "--size", 40, "--channels", 3, "--split", "val").out
    told = json.loads(ferdata("cache", "--json").out)
    assert [(i["kind"], i["what"], i["size"], i["manifest"]) for i in told["items"]] == [
        ("pack", "test", 40, made.name), ("pack", "val", 40, made.name)
    ]  # fmt: skip
    listed = ferdata("cache")
    assert told["items"][0]["key"][:8] in listed.out
    assert "deleted  1, " in ferdata("cache", "clear", told["items"][0]["key"][:8]).out
    assert "deleted  0, " in ferdata("cache", "clear", "--older-than", "1d").out
    assert json.loads(ferdata("cache", "clear", "--json").out)["bytes"] == told["items"][1]["bytes"]
    assert ferdata("cache", "clear", "nothing").code == 1
