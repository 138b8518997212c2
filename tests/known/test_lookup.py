"""Whose faces they are: by pixels, by a hash two bits away, each known row once, the most guarded first."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferdata.known import Index, Lookup
from ferdata.known.lookup import RADIUS

TRAIN, VAL, TEST = 0, 1, 2


def index(rows, name="made"):
    """Make an index of (pixels, phash, split) rows; keys are their numbers."""
    pixels, phash, split = zip(*rows, strict=True)
    keys = pa.array([str(i) for i in range(len(rows))])
    return Index(
        name, name.upper(), np.array(pixels, np.uint64), np.array(phash, np.uint64), np.array(split, np.int8), keys
    )


def look_up(lookup, rows):
    """Look up (pixels, phash) rows; return which row and split each is, None for none."""
    hashes = pa.array([f"{pixels:016x}{0:016x}" for pixels, _ in rows])
    found = lookup(hashes, pa.array([phash for _, phash in rows], pa.uint64()))
    return list(zip(found.index.tolist(), found.row.tolist(), found.split.tolist(), strict=True))


def test_equal_pixels_are_known_whatever_their_perceptual_hash():
    lookup = Lookup([index([(7, 0xFF00, TEST), (8, 0x00FF, TRAIN)])])
    assert look_up(lookup, [(8, 0), (7, 0xFFFFFFFF), (9, 0xFFFFFFFF)]) == [(0, 1, TRAIN), (0, 0, TEST), (-1, -1, -1)]


@pytest.mark.parametrize("bits", range(5))
def test_a_hash_is_known_up_to_two_bits_away(bits):
    lookup = Lookup([index([(7, 0xF0F0F0F0F0F0F0F0, TEST)])])
    phash = 0xF0F0F0F0F0F0F0F0 ^ sum(1 << at for at in (3, 25, 60, 41)[:bits])
    assert look_up(lookup, [(1, phash)])[0][0] == (0 if bits <= RADIUS else -1)


def test_the_nearest_is_taken_and_the_next_once_that_is_given():
    lookup = Lookup([index([(7, 0b0000, TEST), (8, 0b0011, TRAIN), (9, 0xFFFF, VAL)])])
    assert look_up(lookup, [(1, 0b0010_0000), (2, 0b0011), (3, 0b0010)]) == [(0, 0, TEST), (0, 1, TRAIN), (0, -1, -1)]
    lookup = Lookup([index([(7, 0b0000, TEST), (8, 0b0011, TRAIN)])])
    assert look_up(lookup, [(1, 0b0000), (2, 0b0000)]) == [(0, 0, TEST), (0, 1, TRAIN)]


@pytest.mark.parametrize(("strangers", "bits", "known"), [(5, 4, True), (5, 5, False), (200, 4, False)])
def test_among_faces_of_one_dataset_a_copy_may_differ_by_four_bits(strangers, bits, known):
    rng = np.random.default_rng(0)
    hashes = [int(phash) for phash in rng.integers(0, 2**63, 300)]
    lookup = Lookup([index([(i, phash, TRAIN) for i, phash in enumerate(hashes)])])
    changed = hashes[299] ^ sum(1 << at for at in (3, 17, 30, 44, 58)[:bits])
    others = [(10_000 + i, int(phash)) for i, phash in enumerate(rng.integers(0, 2**63, strangers))]
    found = look_up(lookup, [*((i, hashes[i]) for i in range(299)), *others, (9_999, changed)])
    assert (found[-1][:2] == (0, 299)) == known
    assert not any(row[0] == 0 for row in found[299:-1])


def test_as_many_copies_as_there_are_rows_get_one_each_and_test_comes_first():
    lookup = Lookup([index([(7, 1, TRAIN), (7, 1, TEST), (7, 1, TRAIN)])])
    assert look_up(lookup, [(7, 1)] * 4) == [(0, 1, TEST), (0, 0, TRAIN), (0, 2, TRAIN), (0, -1, -1)]
    known = lookup.known[0]
    assert (known.rows, known.ambiguous, known.across) == (4, 1, 1)
    assert known.splits == {"train": 2, "test": 1, "none": 1}


def test_further_copies_of_a_picture_of_one_split_keep_that_split():
    lookup = Lookup([index([(7, 1, VAL)])])
    assert look_up(lookup, [(7, 1), (7, 1)]) == [(0, 0, VAL), (0, -1, VAL)]


def test_copies_are_counted_through_all_batches():
    lookup = Lookup([index([(7, 1, TRAIN), (7, 1, TEST)])])
    assert [look_up(lookup, [(7, 1)])[0][1] for _ in range(3)] == [1, 0, -1]


def test_the_first_index_that_knows_a_row_has_it():
    lookup = Lookup([index([(7, 1, TEST)], "one"), index([(7, 1, TRAIN), (8, 0xFFFF, VAL)], "two")])
    assert look_up(lookup, [(7, 1), (8, 0xFFFF)]) == [(0, 0, TEST), (1, 1, VAL)]
    assert [known.name for known in lookup.hits] == ["one", "two"]


def test_what_was_found_is_said_in_a_sentence():
    lookup = Lookup([index([(7, 1, TRAIN), (7, 1, TEST), (9, 0xFF00, VAL)])])
    look_up(lookup, [(7, 1), (7, 1), (7, 1), (9, 0xFF00), (1, 0xFFFF0000)])
    assert str(lookup.known[0]) == (
        "4 of 5 faces are MADE's (1 of its train, 1 of its val, 1 of its test; 1 pictures stand in several of its "
        "splits; 1 are copies beyond those that it has)"
    )


@settings(max_examples=60)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=40, unique=True), st.randoms(use_true_random=False))
def test_the_search_by_pieces_finds_what_a_look_at_all_finds(known, random):
    queries = [
        random.choice(known) ^ sum(1 << bit for bit in random.sample(range(64), random.randint(0, 4)))
        for _ in range(30)
    ]
    lookup = Lookup([index([(i, phash, TRAIN) for i, phash in enumerate(known)])])
    found = look_up(lookup, [(2**63 + i, phash) for i, phash in enumerate(queries)])
    for query, (where, _, _) in zip(queries, found, strict=True):
        assert (where == 0) == (min((query ^ phash).bit_count() for phash in known) <= RADIUS)
