"""Find near duplicates: candidates by hash, their pictures read once each, confirmed by what they show."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import images
from ferdata.duplicates.compare import AT_ONCE, Pairs, Small, confirm, grey
from ferdata.duplicates.components import connected
from ferdata.duplicates.label_conflicts import box_word
from ferdata.duplicates.pair_store import PairStore
from ferdata.duplicates.scenes import are_scenes, inside
from ferdata.duplicates.search import PIECE, Hashes, pairs_within
from ferdata.errors import BrokenSource, InvalidManifest
from ferdata.manifest import Manifest, opened_here, read_image
from ferdata.running import progress
from ferdata.running.engine import local, run

RADIUS = 10  # bits: re-encoded copies differ by 3 and less, a crop or blur of a twentieth by 5, strangers by 20 to 40
ROUNDS = 8  # pictures of one hash that are not the same picture, before the rest of them are left alone
CLOSE = 3  # bits: what re-encoding and resizing change
FLIPS = (0, images.ODD_COLUMNS)
BATCH = 256  # rows, at most, that a worker looks at in one go
# Copies of each picture that `thorough` hashes as well: degrees; share cut off; where the rest lies, -1 to 1 across
# and down. Each finds what lies around it, up to 2 degrees and 4 % away: turns of 14 degrees, crops of a fifth.
VARIANTS = (
    *((degrees, 0.0, 0, 0) for degrees in (-12, -8, -4, 4, 8, 12)),
    *((0, cut, 0, 0) for cut in (0.07, 0.12, 0.17)),
    *((0, 0.08, x, y) for x in (-1, 1) for y in (-1, 1)),
)
Read = Callable[[NDArray[np.int64]], tuple[Small, Hashes]]
# Which manifest, its first row, which of those that follow it, and which of these are scenes.
_Piece = tuple[int, int, NDArray[np.int64], NDArray[np.bool_]]


def find(
    manifests: Sequence[Manifest], table: pa.Table, *, thorough: bool = False, workers: int | None = None
) -> Pairs:
    """Return the row pairs of `table` that show one picture in different pixels, int64 (n, 2), i < j, sorted.

    `table` has `phash`, uint64, and SCENE_COLUMNS; its rows are those of `manifests`, one after the other.
    With `dataset` and `subject` in it, pictures that a publisher gives to two people are no pair. Scenes are
    compared by what is inside their face boxes, since a room is no face: each of them is decoded for it. Rows with
    equal pixels (and, in scenes, boxes) are looked at once, by the first of them; the pairs connect what belongs
    together, they do not list every pair of a group. Only candidates are decoded, once each; `thorough` decodes and
    turns every picture. `workers` are processes or threads, one per core by default. Raises ImagesMissing, CannotWrite
    where the small copies of very many find no room, and BrokenSource for an image that was readable at ingest and is
    not now.
    """
    scene = are_scenes(table)
    rows = _first_rows(_compared(table, scene))
    hashes = table["phash"].combine_chunks().take(pa.array(rows)).to_numpy().astype(np.uint64)
    hashes[scene[rows]] = _face_hashes(manifests, rows[scene[rows]], scene, workers)
    people = _people(table)[rows]

    def read(chosen: Pairs) -> tuple[Small, Hashes]:
        return _read(manifests, rows[chosen], scene, thorough, workers)

    pairs = rows[connect(hashes, read, people, thorough=thorough, workers=workers)]
    return np.unique(np.sort(pairs, axis=1), axis=0)


def connect(
    hashes: Hashes,
    read: Read,
    people: Pairs | None = None,
    *,
    thorough: bool = False,
    radius: int = RADIUS,
    workers: int | None = None,
) -> Pairs:
    """Return the pairs of pictures that connect what is one picture, int64 (n, 2); `hashes` is uint64 (pictures).

    `read` is called once, with the numbers of the pictures to look at, rising; it returns their small copies and,
    if `thorough`, the hashes of their variants, uint64 (pictures, VARIANTS). `people`, int64 (pictures, 2), are
    numbers of dataset and person, -1 where nobody is named.
    """
    distinct, kind = np.unique(hashes, return_inverse=True)
    wanted = np.bincount(kind, minlength=len(distinct)) > 1
    with PairStore() as straight, PairStore() as mirrored:
        near = dict(zip(FLIPS, (straight, mirrored), strict=True))
        for flip, store in near.items():
            for pairs in pairs_within(distinct, radius, flip=flip, workers=workers):
                store.add(pairs)
                wanted[pairs.ravel()] = True
        return _joined(hashes, kind, wanted, near, read, people, thorough, radius, workers)


def _joined(
    hashes: Hashes,
    kind: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    near: Mapping[int, PairStore],
    read: Read,
    people: Pairs | None,
    thorough: bool,
    radius: int,
    workers: int | None,
) -> Pairs:
    """Return what `connect` does, from the pairs of `near` hashes for each flip; `kind` numbers the hashes that differ.

    `wanted` says of which hashes the pictures are to be looked at.
    """
    chosen = np.flatnonzero(np.ones(len(hashes), bool) if thorough else wanted[kind])
    small, variants = read(chosen)
    hashes, kind = hashes[chosen], kind[chosen]
    joined = _Joined(len(chosen), None if people is None else people[chosen], workers)
    leaders = _within_kinds(small, kind, joined)
    # Copies that are hardly changed come first: what joins them need not be compared with each of them again.
    for least, most in ((0, CLOSE), (CLOSE + 1, radius)):
        for flip, store in near.items():
            for pairs in _across_kinds(leaders, kind, len(wanted), store):
                bits = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]] ^ np.uint64(flip))
                joined.compare(small, small, pairs[(bits >= least) & (bits <= most)], bool(flip))
    if thorough:
        _turned(small, variants, hashes, radius, joined)
    return np.asarray(chosen[np.concatenate([*joined.found, np.zeros((0, 2), np.int64)])], np.int64)


class _Joined:
    """What was confirmed so far, and which pictures are one by that."""

    def __init__(self, n: int, people: Pairs | None, workers: int | None) -> None:
        self.workers = workers
        self.people = np.full((n, 2), -1) if people is None else people
        self.found: list[Pairs] = []
        self.component: NDArray[np.int64] = np.arange(n)

    def compare(self, first: Small, second: Small, pairs: Pairs, mirror: bool) -> NDArray[np.bool_]:
        """Confirm `pairs` of pictures not joined yet, once for two sets of joined ones; return which are the same.

        Two people of one dataset are never compared: a third picture may be near to both.
        """
        apart = self.component[pairs[:, 0]] != self.component[pairs[:, 1]]
        one, other = self.people[pairs[:, 0]], self.people[pairs[:, 1]]
        people = (one[:, 0] == other[:, 0]) & (one[:, 1] != other[:, 1]) & (one[:, 1] >= 0) & (other[:, 1] >= 0)
        rest = np.flatnonzero(apart & ~people)
        _, at = np.unique(np.sort(self.component[pairs[rest]], axis=1), axis=0, return_index=True)
        new = rest[np.sort(at)]
        same = np.zeros(len(pairs), bool)
        same[new] = confirm(first, second, pairs[new], np.full(len(new), mirror), self.workers)
        if same.any():
            self.found.append(pairs[same])
            self.component = connected(int(self.component.max()) + 1, self.component[pairs[same]])[self.component]
        return same

    def speaks_for(self, pairs: Pairs) -> NDArray[np.bool_]:
        """Return in which pairs the first may be compared wherever the second may: it is nobody, or the same person."""
        one, other = self.people[pairs[:, 0]], self.people[pairs[:, 1]]
        return np.asarray((one[:, 1] < 0) | (one == other).all(axis=1))


def _people(table: pa.Table) -> Pairs:
    """Return, for each row, numbers of its dataset and its person; -1 where there is none."""
    names = table.column_names
    columns = [
        table[name].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
        if name in names
        else np.full(table.num_rows, -1)
        for name in ("dataset", "subject")
    ]
    return np.stack(columns, axis=1).astype(np.int64)


def _first_rows(column: pa.ChunkedArray) -> Pairs:
    """Return the first row of each value. Raises InvalidManifest where one is missing."""
    if column.null_count:
        raise InvalidManifest(
            f"{column.null_count:,} rows have no hash of their pixels, by which duplicates are found.",
            "The manifest was changed by another program: `ferdata validate` says how. Ingest the dataset again.",
        )
    codes = column.combine_chunks().dictionary_encode().indices.to_numpy()
    # Codes are numbered by first appearance, so a value is new where the maximum so far rises.
    highest = np.maximum.accumulate(codes) if len(codes) else codes
    return np.flatnonzero(np.diff(highest, prepend=-1) > 0).astype(np.int64)


def _compared(table: pa.Table, scene: NDArray[np.bool_]) -> pa.ChunkedArray:
    """Return the name of what is compared of each row: its pixels, of a scene those inside its box."""
    if not scene.any():
        return table["pixel_hash"]
    mine = table.filter(pa.array(scene))
    boxes = pa.array([box_word(box) for box in mine["face_box"].to_pylist()])
    faces = pc.binary_join_element_wise(mine["pixel_hash"].combine_chunks(), boxes, " ")
    return pa.chunked_array([pc.replace_with_mask(table["pixel_hash"].combine_chunks(), pa.array(scene), faces)])


def _face_hashes(
    manifests: Sequence[Manifest], rows: NDArray[np.int64], scene: NDArray[np.bool_], workers: int | None
) -> Hashes:
    """Return the perceptual hashes of the faces in scenes; the manifests' own are those of the whole pictures."""
    hashes = np.empty(len(rows), np.uint64)
    for at in range(0, len(rows), AT_ONCE):
        small, _ = _read(manifests, rows[at : at + AT_ONCE], scene, False, workers)
        hashes[at : at + AT_ONCE] = images.perceptual_hashes(small.grey)
    return hashes


def _read(
    manifests: Sequence[Manifest],
    rows: NDArray[np.int64],
    scene: NDArray[np.bool_],
    thorough: bool,
    workers: int | None = None,
) -> tuple[Small, Hashes]:
    """Decode the pictures in `rows`, rising, once each: small copies, and hashes (rows, VARIANTS) if `thorough`.

    `scene` says of every row of the manifests whether only the inside of its face box is looked at.
    """
    small = Small.empty(len(rows))
    hashes = np.zeros((len(rows), len(VARIANTS) if thorough else 0), np.uint64)
    look = _Look([(m.path.absolute(), m.fingerprint, m.roots_there()) for m in manifests], thorough)
    at = 0
    with progress.bar("look", len(rows), "images") as advance:
        for some, variants in run(local(workers), look, _pieces(manifests, rows, scene)):
            here = slice(at, at + len(some.grey))
            small.grey[here], small.clipped[here], hashes[here] = some.grey, some.clipped, variants
            at = here.stop
            advance(len(some.grey))
    return small, hashes


@dataclass(frozen=True)
class _Look:
    """Rows to small copies and, if `thorough`, hashes of their variants: for any thread or process.

    `manifests` are path, fingerprint and roots of each.
    """

    manifests: Sequence[tuple[Path, str, Mapping[str, Path | None]]]
    thorough: bool

    def __call__(self, piece: _Piece) -> tuple[Small, Hashes]:
        number, first, which, scene = piece
        path, fingerprint, roots = self.manifests[number]
        columns = ("sample_id", "dataset", "image", "face_box")
        batch = opened_here(path, fingerprint).file.slice(first, int(which[-1]) + 1, columns)
        small = Small.empty(len(which))
        hashes = np.zeros((len(which), len(VARIANTS) if self.thorough else 0), np.uint64)
        for at, row in enumerate(batch.take(pa.array(which)).to_pylist()):
            picture = read_grey(row, roots, scene=bool(scene[at]))
            small.put(at, picture)
            if self.thorough:
                hashes[at] = variant_hashes(picture)
        return small, hashes


def _pieces(manifests: Sequence[Manifest], rows: NDArray[np.int64], scene: NDArray[np.bool_]) -> Iterator[_Piece]:
    """Yield `rows`, counted over the manifests and rising, in pieces of one row group; other groups are not read."""
    start = 0
    for number, m in enumerate(manifests):
        for first, n in m.file.pieces(BATCH):
            low, high = np.searchsorted(rows, (start + first, start + first + n))
            if low < high:
                here = rows[low:high]
                yield number, first, here - start - first, scene[here]
        start += m.rows


def read_grey(row: Mapping[str, Any], roots: Mapping[str, Path | None], scene: bool) -> NDArray[np.uint8]:
    """Return the picture of `row`, of a scene the inside of its face box, uint8 (H, W) grey.

    Raises ImagesMissing or BrokenSource.
    """
    try:
        image = images.decode(read_image(row, roots))
        return grey(inside(image, row["face_box"]) if scene else image)
    except images.UnreadableImage as error:
        raise BrokenSource(f"{row['sample_id']} can no longer be read: {error}.", "Ingest its dataset again.") from None


def variant(picture: NDArray[np.uint8], degrees: float, cut: float, x: float, y: float) -> NDArray[np.uint8]:
    """Return the picture turned, or with the share `cut` of its width and height cut off, as one of VARIANTS.

    It is uint8 (H, W), at most 64 pixels wide and high: the hash looks at 32.
    """
    side = 64
    if max(picture.shape) > side:
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    height, width = picture.shape
    centre = (width - 1) / 2, (height - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, degrees, 1 / (1 - cut)), np.float64)
    # What is cut off lies on the other side of where the rest lies.
    matrix[:, 2] -= np.array([x * width, y * height]) * cut / 2 / (1 - cut)
    return cv2.warpAffine(picture, matrix, (width, height)).astype(np.uint8, copy=False)


def variant_hashes(picture: NDArray[np.uint8]) -> Hashes:
    """Return the perceptual hash of each of VARIANTS, uint64."""
    return images.perceptual_hashes(np.stack([variant(picture, *v) for v in VARIANTS]))


def _within_kinds(small: Small, kind: NDArray[np.int64], joined: _Joined) -> NDArray[np.int64]:
    """Compare pictures of one hash with the first of them, what is left with the first of that, and so on.

    So many copies of one picture cost one comparison each. Returns which pictures are like none before them that
    speaks for them.
    """
    leaders = []
    left = np.arange(len(kind))
    for _ in range(ROUNDS):
        _, at, back = np.unique(kind[left], return_index=True, return_inverse=True)
        first = left[at]
        leaders.append(first)
        pairs = np.stack([first[back], left], axis=1)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        if not len(pairs):
            break
        left = pairs[~(joined.compare(small, small, pairs, False) & joined.speaks_for(pairs)), 1]
    return np.sort(np.concatenate(leaders))


def _across_kinds(
    leaders: NDArray[np.int64], kind: NDArray[np.int64], kinds: int, near: Iterable[Pairs]
) -> Iterator[Pairs]:
    """Yield the pairs of leaders of those kinds whose hashes are near, in pieces of about PIECE."""
    leaders = leaders[np.argsort(kind[leaders], kind="stable")]
    count = np.bincount(kind[leaders], minlength=kinds)
    start = np.cumsum(count) - count
    for pairs in near:
        many = int((count[pairs[:, 0]] * count[pairs[:, 1]]).sum())
        for a, b in (piece.T for piece in np.array_split(pairs, max(1, many // PIECE))):
            times = count[a] * count[b]
            which = np.repeat(np.arange(len(a)), times)
            nth = np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)
            i = leaders[start[a[which]] + nth // count[b[which]]]
            j = leaders[start[b[which]] + nth % count[b[which]]]
            yield np.stack([i, j], axis=1)


def _turned(small: Small, variants: Hashes, hashes: Hashes, radius: int, joined: _Joined) -> None:
    """Compare turned and cropped copies of every picture with every picture."""
    for k, how in enumerate(VARIANTS):
        turned = Small.empty(len(hashes))
        for flip in FLIPS:
            for pairs in pairs_within(variants[:, k], radius, against=hashes, flip=flip, workers=joined.workers):
                for i in np.unique(pairs[:, 0]):
                    if not turned.grey[i].any():
                        turned.put(i, variant(small.grey[i], *how))
                joined.compare(turned, small, pairs, bool(flip))
