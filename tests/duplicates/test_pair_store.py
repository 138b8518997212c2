"""Pairs of which there are very many: put down, gone through again, and never all in memory."""

import errno
import sys
import tracemalloc
from functools import partial

import cv2
import numpy as np
import pytest

from ferdata import images
from ferdata.duplicates import pair_store, search
from ferdata.duplicates.compare import Small
from ferdata.duplicates.components import connected
from ferdata.duplicates.find import connect
from ferdata.duplicates.pair_store import PairStore
from ferdata.errors import CannotWrite
from tests.conftest import picture
from tests.duplicates.test_find import chosen_of, detailed

MEGABYTE = 1 << 20


def in_small_pieces(monkeypatch: pytest.MonkeyPatch, piece: int, span: int) -> None:
    monkeypatch.setattr(pair_store, "HELD", 8 * piece)
    monkeypatch.setattr(search, "SPAN", span)
    for module in (search, sys.modules[connect.__module__]):  # the package has a function of the module's name
        monkeypatch.setattr(module, "PIECE", piece)


@pytest.mark.parametrize("held", [0, 100, 1 << 20])
def test_pairs_come_back_in_their_pieces_as_often_as_wanted(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(pair_store, "HELD", held)
    rng = np.random.default_rng(0)
    pieces = [rng.integers(0, 2**32, (n, 2)) for n in (3, 0, 70)]
    with PairStore() as store:
        assert list(store) == []
        for piece in pieces:
            store.add(piece)
        for _ in range(2):
            back = list(store)
            assert [piece.dtype for piece in back] == [np.dtype(np.int64)] * 3
            assert all(np.array_equal(a, b) for a, b in zip(back, pieces, strict=True))


def test_a_temporary_folder_that_is_full_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with PairStore() as store:
        monkeypatch.setattr(store._file, "write", full)
        with pytest.raises(CannotWrite, match="No space left on device") as told:
            store.add(np.zeros((5, 2), np.int64))
    assert "TMPDIR" in told.value.hint


def test_the_search_yields_pieces_that_are_sorted_and_hold_each_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    hashes = np.unique(rng.integers(0, 2**64, 6, dtype=np.uint64)[:, None] ^ (1 << rng.integers(0, 64, (6, 40), "u8")))
    (whole,) = search.pairs_within(hashes, 10)
    in_small_pieces(monkeypatch, 100, 4)
    pieces = list(search.pairs_within(hashes, 10))
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 100 + 16 * 40
    for piece in pieces:
        assert sorted(piece.tolist()) == piece.tolist()
    assert sorted(np.concatenate(pieces).tolist()) == whole.tolist()


def test_what_is_one_picture_does_not_depend_on_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [cv2.GaussianBlur(detailed(k % 5), (0, 0), 0.4 + 0.1 * (k // 5)) for k in range(40)]
    small = Small.empty(40)
    for at, each in enumerate(pictures):
        small.put(at, each)
    hashes = np.array([images.perceptual_hash(each) for each in pictures], np.uint64) ^ np.arange(40, dtype="u8")
    read = partial(chosen_of, small, np.zeros((40, 0), np.uint64))
    whole = connected(40, connect(hashes, read))
    in_small_pieces(monkeypatch, 3, 2)
    assert connected(40, connect(hashes, read)).tolist() == whole.tolist() == [k % 5 for k in range(40)]


def test_a_film_with_hundreds_of_pairs_a_frame_takes_no_more_memory_than_its_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """900 frames of which every one is near to every other: 400,000 pairs, which all at once take 160 MB to compare."""
    frames = 900
    few = [sum(1 << b for b in np.random.default_rng(k).choice(64, 5, replace=False).tolist()) for k in range(frames)]
    hashes = np.unique(np.array(few, np.uint64))
    assert sum(map(len, search.pairs_within(hashes, 10))) == len(hashes) * (len(hashes) - 1) // 2 > 400_000
    small = Small.empty(len(hashes))
    for at in range(len(hashes)):
        small.put(at, picture(1))
    in_small_pieces(monkeypatch, 1 << 13, 1 << 8)
    connected(1, np.zeros((0, 2), np.int64))  # it imports what it needs, which is not counted
    tracemalloc.start()
    pairs = connect(hashes, partial(chosen_of, small, np.zeros((len(hashes), 0), np.uint64)), workers=1)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert connected(len(hashes), pairs).max() == 0
    assert len(pairs) < 20 * frames  # what joins them is not every pair of them
    assert most < 16 * MEGABYTE
