"""The pack: the pixels of rows, decoded once, mapped; rebuilt when it is not what it should be."""

import itertools
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from ferdata import images
from ferdata.errors import BrokenSource, CannotWrite, ImagesMissing
from ferdata.manifest import Manifest
from ferdata.running import cache
from ferdata.running.engine import Engine
from ferdata.running.processes import Processes, Threads
from ferdata.training_data.arrays import packs, prepare
from tests.conftest import picture
from tests.training_data.packing import MIXED, leftovers, pack, write


@pytest.mark.parametrize("kept", ["embedded", "files"])
@pytest.mark.parametrize(("size", "channels"), [(16, 1), (48, 1), (112, 3), (24, 3)])
def test_a_pack_holds_what_decoding_each_row_gives_in_the_order_asked_for(
    tmp_path: Path, kept: str, size: int, channels: int
) -> None:
    path = write(tmp_path / "m.parquet", MIXED, tmp_path / "root" if kept == "files" else None)
    order = [4, 0, 3, 1]
    got = pack(path, order, size, channels)
    assert got.pixels.dtype == np.uint8
    assert not got.pixels.flags.writeable
    assert np.array_equal(got.pixels, np.stack([prepare(MIXED[i], size, channels) for i in order]))
    assert got.path
    assert np.array_equal(np.load(got.path), got.pixels)


def test_a_second_opening_decodes_nothing_and_maps_the_same_file(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", MIXED, tmp_path / "root")
    first = pack(path, [0, 1, 2])
    shutil.rmtree(tmp_path / "root")
    second = pack(path, [0, 1, 2])
    assert (first.made, second.made, second.path) == (True, False, first.path)
    assert np.array_equal(first.pixels, second.pixels)
    with pytest.raises(ImagesMissing, match="images of made are not in"):
        pack(path, [0, 1])


@pytest.mark.parametrize("engine", [Threads(3), Processes(3)], ids=["threads", "processes"])
def test_several_sides_are_packed_in_one_go_and_a_row_may_stand_in_two(tmp_path: Path, engine: Engine) -> None:
    path = write(tmp_path / "m.parquet", [picture(i) for i in range(700)])
    wanted = {"train": np.arange(0, 700, 2), "val": np.arange(1, 700, 2), "all": np.arange(699, -1, -1)}
    done = packs(Manifest(path), wanted | {"again": wanted["val"], "none": np.arange(0)}, 48, 1, engine=engine)
    for name, where in wanted.items():
        assert np.array_equal(done[name].pixels[..., 0], np.stack([picture(int(i)) for i in where]))
    assert done["again"] is done["val"]
    assert done["none"].pixels.shape == (0, 48, 48, 1)
    assert len(cache.entries()) == 3


def test_the_same_pictures_under_other_labels_keep_their_pack_and_other_pictures_do_not(tmp_path: Path) -> None:
    first = pack(write(tmp_path / "a.parquet", MIXED, native_label=["anger"] * 5), [0, 1])
    relabelled = pack(write(tmp_path / "b.parquet", MIXED, native_label=["fear"] * 5), [0, 1])
    other = pack(write(tmp_path / "c.parquet", [picture(9), *MIXED[1:]]), [0, 1])
    assert (relabelled.made, relabelled.key) == (False, first.key)
    assert (other.made, other.key == first.key) == (True, False)
    assert {pack(tmp_path / "a.parquet", where).key for where in ([1, 0], [0], [0, 2])}.isdisjoint({first.key})


@pytest.mark.parametrize("damage", ["cut short", "longer", "empty", "gone", "header"])
def test_a_pack_that_was_cut_short_is_rebuilt(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "m.parquet", MIXED)
    first = pack(path, [0, 1, 2])
    assert first.path
    right = first.pixels.copy()
    file = first.path
    del first
    data = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(
            {"cut short": data[:-1], "longer": data + b"x", "empty": b"", "header": b"junk" + data[4:]}[damage]
        )
    again = pack(path, [0, 1, 2])
    assert again.made
    assert np.array_equal(again.pixels, right)
    assert not pack(path, [0, 1, 2]).made


def test_a_pack_that_belongs_to_another_fingerprint_is_rebuilt(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.parquet", [picture(1), picture(2)])
    other = pack(write(tmp_path / "other.parquet", [picture(3), picture(4)]), [0, 1])
    first = pack(mine, [0, 1])
    assert first.path
    assert other.path
    folder = first.path.parent
    shutil.rmtree(folder)
    shutil.copytree(other.path.parent, folder)  # another's, under this name
    again = pack(mine, [0, 1])
    assert again.made
    assert np.array_equal(again.pixels, first.pixels)


def test_a_pack_in_use_outlives_clearing_and_a_rebuild(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", MIXED)
    part = pack(path, [0, 1, 2]).pixels[1:]  # only a part of it is kept
    right = part.copy()
    assert cache.clear()[0] == []
    shutil.rmtree(cache.folder())
    assert np.array_equal(part, right)
    del part
    pack(path, [0, 1, 2])
    assert len(cache.clear()[0]) == 1


def test_the_pack_used_longest_ago_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.parquet", MIXED)
    monkeypatch.setenv("FERDATA_CACHE_LIMIT", "100KB")
    keys = {}
    for age, where in ((300, 0), (200, 1)):
        done = pack(path, [where], 200)  # 40 kB
        keys[where] = done.key
        os.utime(cache.folder() / "pack" / done.key / cache.ABOUT, (time.time() - age,) * 2)
    del done
    pack(path, [0], 200)  # used just now
    keys[2] = pack(path, [2], 200).key
    assert {entry.key for entry in cache.entries()} == {keys[0], keys[2]}
    with pytest.raises(CannotWrite, match=r"of 100 KB used"):
        pack(path, [0, 1, 2], 200)


def test_an_image_that_changed_after_ingest_is_named_and_refused(tmp_path: Path, place: Path) -> None:
    path = write(tmp_path / "m.parquet", MIXED, tmp_path / "root")
    (tmp_path / "root" / "1.png").write_bytes(images.encode_png(255 - MIXED[1]))
    with pytest.raises(BrokenSource, match="made:0001 is not the picture that was ingested") as refused:
        pack(path, [0, 1, 2])
    assert "--trust-files" in refused.value.hint
    assert leftovers(place) == []
    assert cache.entries() == []
    assert np.array_equal(pack(path, [0, 2]).pixels[0], prepare(MIXED[0], 24, 1))


def test_trust_files_takes_a_changed_image_as_it_is_now_and_again_when_it_changes_again(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", MIXED, tmp_path / "root")
    strict = pack(path, [0, 1, 2])
    for turn in itertools.count(1):
        changed = np.roll(MIXED[1], turn, axis=1)
        file = tmp_path / "root" / "1.png"
        file.write_bytes(images.encode_png(changed))
        os.utime(file, ns=(turn, turn))
        trusting = pack(path, [0, 1, 2], trust_files=True)
        assert (trusting.made, trusting.changed) == (True, 1)
        assert np.array_equal(trusting.pixels[1], prepare(changed, 24, 1))
        again = pack(path, [0, 1, 2], trust_files=True)
        assert (again.made, again.changed) == (False, 1)
        if turn == 2:
            break
    # Who does not trust the files has what was ingested.
    assert np.array_equal(pack(path, [0, 1, 2]).pixels, strict.pixels)


def test_an_embedded_image_that_is_not_the_one_ingested_is_refused_too(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", MIXED, pixel_hash=["0" * 32] * 5)
    with pytest.raises(BrokenSource, match="made:0000"):
        pack(path, [0])
    assert pack(path, [0], trust_files=True).changed == 1


def test_an_aligned_image_must_have_the_crops_own_pixels(tmp_path: Path) -> None:
    from ferdata.steps.align import align

    path = write(tmp_path / "m.parquet", [picture(i) for i in range(3)], face_box=[[4.0, 4.0, 30.0, 30.0]] * 3)
    aligned = align(path, out=tmp_path / "a.parquet", size=32).out
    done = pack(aligned, [2, 0], 32)
    rows = [row for batch in Manifest(aligned).batches() for row in batch.to_pylist()]
    assert np.array_equal(done.pixels[0], prepare(images.decode(rows[2]["image"]["bytes"]), 32, 1))


def test_a_picture_is_cut_to_its_middle_square_and_brought_to_size() -> None:
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 200
    assert (prepare(wide, 10, 1) == 200).all()
    assert prepare(wide, 40, 3).shape == (40, 40, 3)


def test_colour_becomes_grey_and_grey_three_channels() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert int(prepare(red, 8, 1)[0, 0, 0]) == 76
    grey = np.full((8, 8), 7, np.uint16) << 8
    assert (prepare(grey, 8, 3) == 7).all()


def test_a_picture_of_the_right_size_passes_untouched() -> None:
    drawn = picture(3)
    assert np.array_equal(prepare(images.decode(images.encode_png(drawn)), 48, 1)[..., 0], drawn)
