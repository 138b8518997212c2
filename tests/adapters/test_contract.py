"""What every adapter promises, swept over all adapters and all of their layouts."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from ferdata import adapters, errors
from ferdata.images import decode
from ferdata.labels import EMOTIONS, REASONS
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS, Frame, Sample
from ferdata.sources import Layout, Skipped
from ferdata.sources.left_out import NOTES
from ferdata.sources.recognise import recognise
from ferdata.steps.ingest import ingest
from tests import fakes
from tests.fakes import affwild2

SWEEP = sorted(fakes.layouts().items())
IDS = [f"{dataset}-{layout}" for (dataset, layout), _ in SWEEP]
GENERIC = {name for name in adapters.names() if adapters.load(name).SOURCE.generic}
TWO_PEOPLE_IN_A_CLIP = {"affwild2"}  # `_left` and `_right` of one video
PICTURES = (".png", ".jpg", ".jpeg")


def read(name: str, root: Path, **options: str | None) -> tuple[Layout, Path, list[Sample], list[Skipped]]:
    """Do what ingest does before it opens an image."""
    adapter = adapters.load(name)
    found = recognise(adapter.SOURCE, root)
    assert found is not None
    layout, base = found
    prepare = getattr(adapter, "prepare", None)
    layout = prepare(base, layout, options) if prepare else layout
    rows = list(adapter.samples(base, layout, options))
    samples = [row for row in rows if isinstance(row, Sample)]
    skipped = [row for row in rows if isinstance(row, Skipped)]
    assert len(samples) + len(skipped) == len(rows)
    return layout, base, samples, skipped


def left_out_alone(name: str, root: Path, said: str, **options: str | None) -> list[Skipped]:
    """Return what is left out for a damaged file of its own, of which `said` is told; all else is read."""
    _, _, samples, skipped = read(name, root, **options)
    alone = [row for row in skipped if row.reason == NOTES]
    assert samples
    assert all(re.search(said, row.detail) for row in alone), alone
    assert alone
    return alone


def meanings(name: str, root: Path) -> dict[str, tuple[str | None, ...]]:
    """Return what each row is, by its key in lower case."""
    layout, base, samples, _ = read(name, root)
    assert all((base / image_path(s)).exists() for s in samples)
    return {
        s.key.casefold(): (s.native_label and layout.labels[s.native_label], s.official_split, s.subject)
        for s in samples
    }


def image_path(sample: Sample) -> str:
    """Return the file that a sample is read from, relative to the base; nothing for pixels of a table."""
    if isinstance(sample.image, Frame):
        return sample.image.path
    return sample.image if isinstance(sample.image, str) else ""


def told(name: str, folder: Path) -> dict[str, tuple[str | None, ...]]:
    """Ingest `folder/d` and return label, split and subject of each row of the manifest."""
    done = ingest(name, root=folder / "d", out=folder / "m.parquet", force=True, workers=1)
    table = Manifest(done.out).table("sample_id", "native_label", "label", "official_split", "subject")
    return {row.pop("sample_id"): tuple(row.values()) for row in table.to_pylist()}


@pytest.mark.parametrize("name", adapters.names())
def test_a_declaration_is_complete(name):
    source = adapters.load(name).SOURCE
    assert source.name == name
    assert source.title
    assert source.access
    assert source.place
    assert source.content
    assert source.licence.name
    assert source.licence.terms.endswith(".")
    assert source.obtain
    assert all(step[0].isupper() for step in source.obtain)
    assert source.layouts
    assert all(layout.marks for layout in source.layouts)
    assert source.generic or (source.homepage.startswith("http") and source.citation.startswith("@"))
    assert len({layout.name for layout in source.layouts}) == len(source.layouts)
    for option in source.options:
        assert option.name.isidentifier()
        assert option.help.endswith(".")
        assert not option.choices or option.default in option.choices
    for layout in source.layouts:
        assert set(layout.labels.values()) <= {*EMOTIONS, *REASONS}
        for split, counts in layout.counts.items():
            assert split in (*SPLITS, "all")
            assert not layout.labels or set(counts) <= {*layout.labels, "all"}


@pytest.mark.parametrize("name", adapters.names())
def test_every_layout_has_its_fake(name):
    declared = [layout.name for layout in adapters.load(name).SOURCE.layouts]
    assert sorted(declared) == sorted(layout for dataset, layout in fakes.layouts() if dataset == name)


@pytest.mark.parametrize(("which", "write"), SWEEP, ids=IDS)
class TestEveryLayout:
    def test_is_found_and_counted_alike_both_ways(self, which, write, tmp_path):
        expected = write(tmp_path)
        layout, _, samples, skipped = read(which[0], tmp_path)
        found = Counter((s.official_split, s.native_label) for s in samples)
        assert layout.name == which[1]
        assert found == expected.counts
        assert expected.counts - found == found - expected.counts == Counter()
        assert len(skipped) == expected.skipped
        assert all(s.reason for s in skipped)
        assert len({s.subject for s in samples} - {None}) == expected.subjects
        assert len({s.sequence for s in samples} - {None}) == expected.sequences

    def test_maps_every_label(self, which, write, tmp_path):
        write(tmp_path)
        layout, _, samples, _ = read(which[0], tmp_path)
        assert {s.native_label for s in samples} - {None} <= set(layout.labels)
        assert set(layout.labels.values()) <= {*EMOTIONS, *REASONS}

    def test_comes_in_the_same_order_twice(self, which, write, tmp_path):
        write(tmp_path)
        first, second = read(which[0], tmp_path), read(which[0], tmp_path)
        assert [s.key for s in first[2]] == [s.key for s in second[2]]
        assert first[3] == second[3]

    def test_uses_no_key_twice_and_no_image_in_two_splits(self, which, write, tmp_path):
        write(tmp_path)
        _, _, samples, skipped = read(which[0], tmp_path)
        keys = [s.key for s in [*samples, *skipped]]
        assert len(set(keys)) == len(keys)
        splits = {}
        for sample in samples:
            if isinstance(sample.image, str):
                assert splits.setdefault(sample.image, sample.official_split) == sample.official_split

    def test_gives_each_clip_a_name_of_its_own_whoever_is_in_it(self, which, write, tmp_path):
        write(tmp_path)
        people = {}
        for sample in read(which[0], tmp_path)[2]:
            people.setdefault(sample.sequence, set()).add(sample.subject)
        people.pop(None, None)
        # Where a dataset numbers the clips of each person from 1, its adapter puts the person before the number.
        assert which[0] in TWO_PEOPLE_IN_A_CLIP or all(len(names) == 1 for names in people.values())

    def test_names_files_within_its_folder_or_gives_pixels(self, which, write, tmp_path):
        write(tmp_path)
        _, base, samples, _ = read(which[0], tmp_path)
        for sample in samples:
            if isinstance(sample.image, str | Frame):
                named = sample.image if isinstance(sample.image, str) else sample.image.path
                path = PurePosixPath(named)
                assert not path.is_absolute()
                assert ".." not in path.parts
                assert "\\" not in named
                assert (base / path).is_file()
            else:
                pixels = decode(sample.image) if isinstance(sample.image, bytes) else sample.image
                assert pixels.dtype == np.uint8
                assert pixels.shape == (48, 48)
            assert sample.official_split in (None, *SPLITS)

    def test_is_guessed_from_its_folder_and_no_other_is(self, which, write, tmp_path):
        write(tmp_path)
        guessed = adapters.looks_like(tmp_path)
        allowed = {which[0]} - GENERIC
        if which == ("ferplus", "csv"):
            allowed.add("fer2013")  # it is FER2013's own table
        assert set(guessed) == allowed

    def test_folders_in_another_case_are_read_alike(self, which, write, tmp_path):
        write(tmp_path)
        if which[0] in GENERIC:
            pytest.skip("their folders are anybody's, and a table of one's own names them")
        before = meanings(which[0], tmp_path)
        folders = [path for path in tmp_path.rglob("*") if path.is_dir() and path.name not in affwild2.VIDEOS]
        for path in sorted(folders, reverse=True):  # the inner ones first
            path.rename(path.with_name(path.name.upper()))
        assert meanings(which[0], tmp_path) == before

    def test_a_fault_leaves_the_rows_that_it_does_not_touch_as_they_were(self, which, write, tmp_path):
        """A picture cut short, another one gone, and strangers beside them."""
        (tmp_path / "d").mkdir()
        write(tmp_path / "d")
        _, base, samples, _ = read(which[0], tmp_path / "d")
        before = told(which[0], tmp_path)
        files = list(dict.fromkeys(base / image_path(s) for s in samples if image_path(s)))
        cut, gone = files[:1], files[2:][-1:]  # never all that there is
        touched = {f"{which[0]}:{s.key}" for s in samples if base / image_path(s) in (*cut, *gone)}
        for path in cut:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        for path in gone:
            path.unlink()
        for folder in {path.parent for path in files} or {base}:
            (folder / "stray.txt").write_text("happy")
            fakes.save(folder / "stray_1.png", fakes.face(4242))
        after = told(which[0], tmp_path)
        assert {key: row for key, row in after.items() if key in before} == {
            key: row for key, row in before.items() if key in after
        }
        assert before.keys() - after.keys() <= touched

    def test_opens_no_image(self, which, write, tmp_path):
        write(tmp_path)
        for path in tmp_path.rglob("*"):
            if path.suffix.lower() in PICTURES:
                path.write_bytes(b"")
        assert read(which[0], tmp_path)[2]


def test_listing_the_names_imports_no_adapter():
    code = (
        "import sys; from ferdata import adapters; print(adapters.names()); "
        "sys.exit(any(m.startswith('ferdata.adapters.') for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ferplus" in done.stdout


def test_an_adapter_loads_no_heavy_library():
    code = (
        "import sys; from ferdata import adapters; [adapters.load(n) for n in adapters.names()]; "
        "sys.exit(', '.join(m for m in ('cv2', 'pandas', 'pyarrow', 'torch') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_a_name_nearly_right_is_answered_with_the_right_one():
    with pytest.raises(errors.BadOption, match="ferplus"):
        adapters.load("ferplu")


def test_an_empty_folder_looks_like_nothing(tmp_path):
    assert adapters.looks_like(tmp_path) == []


def test_a_train_csv_of_something_else_is_not_taken_for_fer2013(tmp_path):
    (tmp_path / "train.csv").write_text("id,price\n1,2\n")
    assert adapters.looks_like(tmp_path) == []


ONE_SPLIT = {  # which folder is left of which layout, and the splits that are then not there
    ("rafdb", "kaggle", "DATASET/train"): "test",
    ("rafdb", "kaggle", "DATASET/test"): "train",
    ("fer2013", "folders", "train"): "val and no test",
    ("fer2013", "folders", "test"): "train",
    ("ferplus", "png", "FER2013Train"): "val and no test",
    ("ferplus", "png", "FER2013Test"): "train and no val",
    ("kaggle_face_expression", "images", "images/train"): "val",
    ("kaggle_face_expression", "images", "images/validation"): "train",
    ("affectnet", "npy", "val_set"): "train",
    ("affectnet", "csv", "Manually_Annotated_file_lists/validation.csv"): "train",
    ("affectnet", "folders", "Train"): "val or test",
    ("affectnet", "folders", "Test"): "train",
    ("affectnet", "numbered", "train"): "val or test",
    ("affectnet", "numbered", "val"): "train",
    ("sfew", "official", "Train_Aligned_Faces"): "val",
    ("sfew", "official", "Val_Aligned_Faces"): "train",
    ("affwild2", "frames", "EXPR_Classification_Challenge/Train_Set"): "val",
}


@pytest.mark.parametrize(("which", "lacks"), ONE_SPLIT.items(), ids=map("-".join, ONE_SPLIT))
def test_a_copy_with_one_split_alone_is_read_and_told_what_it_lacks(tmp_path, which, lacks):
    dataset, layout, left = which
    root = tmp_path / "d"
    root.mkdir()
    fakes.layouts()[dataset, layout](root)
    whole = ingest(dataset, root=root, out=tmp_path / "whole.parquet", workers=1)
    (kept,) = root.rglob(left)
    for other in kept.parent.iterdir():
        if other != kept:
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    done = ingest(dataset, root=root, out=tmp_path / "m.parquet", workers=1)
    assert whole.lacking == ""
    assert done.release == layout
    assert 0 < done.rows < whole.rows
    assert done.lacking.startswith(f"This copy has no official {lacks}, without which results do not compare")
    assert f"ferdata datasets show {dataset}" in done.lacking
    assert any(word.startswith("no ") for word in done.differences)
