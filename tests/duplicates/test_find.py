"""Near duplicates: what is the same picture and what is not, in scenes too, and the self-test."""

import errno
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import cv2
import networkx
import numpy as np
import pyarrow as pa
import pytest

from ferdata import duplicates, images, manifest
from ferdata.duplicates import compare
from ferdata.duplicates.compare import SAME, Small, confirm, grey, laid_over, level
from ferdata.duplicates.components import connected
from ferdata.duplicates.find import VARIANTS, connect, variant, variant_hashes
from ferdata.duplicates.plant import KINDS
from ferdata.duplicates.scenes import SCENE_COLUMNS
from ferdata.errors import BadOption, CannotWrite, ImagesMissing
from ferdata.manifest import Manifest
from tests.conftest import MakeManifest, make_rows, metadata_of, picture, real_data


def detailed(seed: int, side: int = 48) -> np.ndarray:
    """A picture with as much detail as a face: smooth noise of three scales."""
    rng = np.random.default_rng(seed)
    layers = [cv2.resize(rng.normal(0, w, (n, n)), (side, side), interpolation=cv2.INTER_CUBIC) for n, w in
              ((5, 40), (10, 25), (20, 12))]  # fmt: skip
    return np.clip(128 + sum(layers), 0, 255).astype(np.uint8)


def chosen_of(small: Small, variants: np.ndarray, chosen: np.ndarray) -> tuple[Small, np.ndarray]:
    return small.of(chosen), variants[chosen]


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if not any(w in k for w in ("8 %", "12 %", "20 %", "5 degrees", "10 degrees"))]
)
def test_a_copy_of_this_kind_is_found_by_its_hash_and_confirmed(kind: str) -> None:
    rng = np.random.default_rng(0)
    found = 0
    for seed in range(20):
        whole = detailed(seed)
        small = Small.empty(2)
        copy = grey(KINDS[kind](whole, rng))
        small.put(0, whole)
        small.put(1, copy)
        hashes = np.array([images.perceptual_hash(whole), images.perceptual_hash(copy)], np.uint64)
        found += len(connect(hashes, lambda chosen, s=small: (s.of(chosen), np.zeros((len(chosen), 0), np.uint64))))
    assert found >= 18


@pytest.mark.parametrize("kind", ["cropped by 12 %", "rotated by 10 degrees"])
def test_thorough_finds_turns_and_crops_that_the_hash_alone_does_not(kind: str) -> None:
    rng = np.random.default_rng(0)
    found = {True: 0, False: 0}
    for seed in range(10):
        pictures = [detailed(seed), grey(KINDS[kind](detailed(seed), rng))]
        small = Small.empty(2)
        for k, each in enumerate(pictures):
            small.put(k, each)
        hashes = np.array([images.perceptual_hash(p) for p in pictures], np.uint64)
        variants = np.array([variant_hashes(p) for p in pictures])
        for thorough in found:
            read = partial(chosen_of, small, variants)
            found[thorough] += len(connect(hashes, read, thorough=thorough)) > 0
    assert found[True] >= 9
    assert found[False] <= 6


def test_variants_turn_and_crop_about_the_place_they_name() -> None:
    whole = np.zeros((48, 48), np.uint8)
    whole[:, :24] = 200
    assert variant(whole, 0, 0.08, 0, 0).mean() == pytest.approx(100, abs=3)
    assert (
        variant(whole, 0, 0.08, 1, 0).mean()
        < variant(whole, 0, 0.08, 0, 0).mean()
        < variant(whole, 0, 0.08, -1, 0).mean()
    )
    assert variant(np.zeros((300, 200), np.uint8), *VARIANTS[0]).shape == (64, 64)


def test_different_pictures_are_not_the_same_and_flat_ones_are_like_nothing() -> None:
    small = Small.empty(4)
    for k, each in enumerate((detailed(1), detailed(2), np.zeros((48, 48), np.uint8), np.full((48, 48), 9, np.uint8))):
        small.put(k, each)
    pairs = np.array([[0, 1], [0, 2], [2, 3]])
    assert not confirm(small, small, pairs, np.zeros(3, bool)).any()


def test_what_a_publisher_gives_to_two_people_is_not_one_picture() -> None:
    whole = detailed(5)
    alike = cv2.GaussianBlur(whole, (0, 0), 1)
    small = Small.empty(2)
    small.put(0, whole)
    small.put(1, alike)
    hashes = np.array([images.perceptual_hash(whole), images.perceptual_hash(alike)], np.uint64)
    read = partial(chosen_of, small, np.zeros((2, 0), np.uint64))
    for people, found in (([0, 1], 0), ([0, 0], 1), ([0, -1], 1)):
        assert len(connect(hashes, read, np.stack([[0, 0], people], 1))) == found
    assert len(connect(hashes, read, np.array([[0, 0], [1, 1]]))) == 1  # two datasets name people independently


def test_a_picture_that_is_near_to_two_people_of_one_dataset_is_joined_to_both() -> None:
    """Else one of them could stand in test, and its copy from another dataset in train."""
    whole = detailed(5)
    copies = [whole, cv2.GaussianBlur(whole, (0, 0), 0.6), cv2.GaussianBlur(whole, (0, 0), 1)]
    small = Small.empty(3)
    for k, each in enumerate(copies):
        small.put(k, each)
    hashes = np.array([images.perceptual_hash(each) for each in copies], np.uint64)
    read = partial(chosen_of, small, np.zeros((3, 0), np.uint64))
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        people = np.array([[0, 0], [0, 1], [1, -1]])[order]
        pairs = np.sort(connect(hashes, read, people), 1)
        third = order.index(2)
        assert sorted(map(tuple, pairs.tolist())) == sorted(tuple(sorted((third, k))) for k in range(3) if k != third)


def test_small_copies_of_very_many_are_in_a_file_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [detailed(seed // 2) for seed in range(40)]
    found = []
    for held in (compare.HELD, 1000):
        monkeypatch.setattr(compare, "HELD", held)
        small = Small.empty(40)
        for at, each in enumerate(pictures):
            small.put(at, each if at % 2 else cv2.GaussianBlur(each, (0, 0), 0.5))
        assert isinstance(small.grey, np.memmap) == (held == 1000)
        hashes = np.array([images.perceptual_hash(each) for each in pictures], np.uint64) ^ np.arange(40, dtype="u8")
        read = partial(chosen_of, small, np.zeros((40, 0), np.uint64))
        found.append(sorted(sorted(pair) for pair in connect(hashes, read).tolist()))
    assert found[0] == found[1] == [[at, at + 1] for at in range(0, 40, 2)]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system reserves no room for a file")
def test_small_copies_that_find_no_room_are_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(compare, "HELD", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(CannotWrite, match="No space left") as refused:
        Small.empty(40)
    assert "TMPDIR" in refused.value.hint


def test_pictures_that_a_few_steps_bring_nowhere_near_each_other_take_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    approach = compare._approach

    def counted(a: np.ndarray, b: np.ndarray, warp: np.ndarray, how: tuple[int, int, float]) -> bool:
        steps.append(how[1])
        return approach(a, b, warp, how)

    monkeypatch.setattr(compare, "_approach", counted)
    rows = [detailed(1), detailed(2), detailed(1)]
    turned = cv2.warpAffine(rows[2], cv2.getRotationMatrix2D((23.5, 23.5), 5, 1), (48, 48))
    small = Small.empty(4)
    for at, each in enumerate((*rows[:2], rows[2], turned)):
        small.put(at, each)
    a, b = level(small.grey[[0, 2]], small.grey[[1, 3]], small.clipped[[0, 2]], small.clipped[[1, 3]])
    found = laid_over(a, b)
    assert found[0] < compare.FAR_OFF < SAME < found[1]
    assert steps == [compare.FIRST_STEPS, compare.FIRST_STEPS, compare.STEPS]


def test_one_worker_and_three_find_the_same(tmp_path: Path) -> None:
    rng, jpeg = np.random.default_rng(0), KINDS["JPEG, quality 75"]
    pictures = {f"{seed}": detailed(seed) for seed in range(10)}
    copies = {f"{seed} again": grey(jpeg(each, rng)) for seed, each in pictures.items()}
    m = Manifest(write(tmp_path / "a.parquet", pictures | copies))
    found = [duplicates.find([m], table_of(m), workers=n).tolist() for n in (1, 3)]
    assert found == [[[k, 10 + k] for k in range(10)]] * 2


def test_a_picture_cut_off_at_white_is_levelled_before_it_is_compared() -> None:
    whole = detailed(3)
    light = np.clip(whole * 1.6, 0, 255).astype(np.uint8)
    small = Small.empty(2)
    small.put(0, whole)
    small.put(1, light)
    a, b = level(small.grey[:1], small.grey[1:], small.clipped[:1], small.clipped[1:])
    assert laid_over(a, b) > SAME


def write(path: Path, pictures: Mapping[str, np.ndarray]) -> Path:
    """Write a manifest of the given pictures, embedded."""
    rows = []
    for name, pixels in pictures.items():
        facts = images.measure(pixels)
        rows.append(
            {
                "sample_id": f"{path.stem}:{name}",
                "dataset": path.stem,
                "image": {"bytes": images.encode_png(pixels), "path": None},
                **{field: getattr(facts, field) for field in images.Facts.__slots__},
            }
        )
    batch = make_rows(rows)
    manifest.write(path, [batch], metadata_of(batch))
    return path


def table_of(*opened: Manifest) -> pa.Table:
    return pa.concat_tables([m.table("sample_id", "phash", *SCENE_COLUMNS) for m in opened])


def test_rows_of_two_manifests_are_joined_and_equal_pixels_are_looked_at_once(tmp_path: Path) -> None:
    one, two = detailed(1), detailed(2)
    jpeg = grey(KINDS["JPEG, quality 75"](one, np.random.default_rng(0)))
    mirrored = np.ascontiguousarray(two[:, ::-1])
    a = Manifest(write(tmp_path / "a.parquet", {"one": one, "two": two, "again": one}))
    b = Manifest(write(tmp_path / "b.parquet", {"other": detailed(3), "jpeg": jpeg, "mirrored": mirrored}))
    assert duplicates.find([a, b], table_of(a, b)).tolist() == [[0, 4], [1, 5]]


def in_room(room: np.ndarray, *faces: tuple[int, int]) -> np.ndarray:
    """Return the room with a face of 48 pixels, by its seed, at each of the given places from its left edge."""
    scene = room.copy()
    for seed, x in faces:
        scene[60:108, x : x + 48] = detailed(seed)
    return scene


def boxed(x: int) -> dict:
    return {"face_box": [float(x), 60.0, 48.0, 48.0]}


def scenes(path: Path, *rows: tuple[np.ndarray, dict]) -> Manifest:
    """Write a manifest of rows of (picture, further columns); its pictures may come again."""
    full = []
    for pixels, more in rows:
        facts = images.measure(pixels)
        stored = {"bytes": images.encode_png(pixels), "path": None}
        full.append({"image": stored, **{f: getattr(facts, f) for f in images.Facts.__slots__}, **more})
    batch = make_rows(full)
    manifest.write(path, [batch], metadata_of(batch))
    return Manifest(path)


def test_other_faces_in_one_room_are_other_pictures_where_boxes_say_where_the_faces_are(tmp_path: Path) -> None:
    room, rng = detailed(99, 240), np.random.default_rng(0)
    frames = [in_room(room, (seed, 100)) for seed in range(12)]
    frames = [np.clip(frame + rng.normal(0, 3, frame.shape), 0, 255).astype(np.uint8) for frame in frames]
    nobody_says = scenes(tmp_path / "whole.parquet", *[(frame, {}) for frame in frames])
    assert len(duplicates.find([nobody_says], table_of(nobody_says))) > 0  # by the room they are one
    m = scenes(tmp_path / "boxed.parquet", *[(frame, boxed(100)) for frame in frames])
    assert duplicates.find([m], table_of(m)).tolist() == []


def test_each_face_of_a_photograph_is_found_in_another_copy_of_it(tmp_path: Path) -> None:
    photograph = in_room(detailed(99, 240), (1, 20), (2, 150))
    copy = grey(KINDS["JPEG, quality 75"](photograph, np.random.default_rng(0)))
    elsewhere = in_room(detailed(98, 240), (2, 60))
    rows = [(photograph, boxed(20)), (photograph, boxed(150)), (copy, boxed(20)), (copy, boxed(150))]
    m = scenes(tmp_path / "a.parquet", *rows, (elsewhere, boxed(60)), (detailed(1), {}))
    # The face in another room, and the face without a room, are the same faces.
    assert connected(6, duplicates.find([m], table_of(m))).tolist() == [0, 1, 0, 1, 1, 0]


def test_the_self_test_plants_copies_of_the_faces_of_scenes(tmp_path: Path) -> None:
    room = detailed(99, 240)
    m = scenes(tmp_path / "a.parquet", *[(in_room(room, (seed, 100)), boxed(100)) for seed in range(20)])
    outcome = {kind.kind: kind for kind in duplicates.trial(m, pictures=20, copies=10).kinds}
    assert outcome["JPEG, quality 75"].recall == 1
    assert all(kind.precision > 0.9 for kind in outcome.values())


def test_many_copies_of_one_picture_cost_one_comparison_each(tmp_path: Path) -> None:
    whole = detailed(1)
    copies = {"whole": whole} | {str(k): whole.copy() for k in range(60)}
    for k in range(60):
        copies[str(k)][k // 8, k % 8] ^= 1  # other pixels, the same hash
    m = Manifest(write(tmp_path / "a.parquet", copies))
    assert duplicates.find([m], table_of(m)).tolist() == [[0, k] for k in range(1, 61)]


def test_a_manifest_of_no_rows_or_one_has_no_pairs(make_manifest: MakeManifest) -> None:
    m = Manifest(make_manifest({"seed": 1}))
    assert duplicates.find([m], table_of(m)).shape == (0, 2)
    assert duplicates.find([m], table_of(m), thorough=True).shape == (0, 2)
    assert duplicates.find([], table_of(m).slice(0, 0)).shape == (0, 2)


def test_images_that_moved_are_named_with_the_variable_that_says_where_they_are(tmp_path: Path) -> None:
    whole = picture(1)
    rows = [
        {"sample_id": f"gone:{k}", "dataset": "gone", "image": {"bytes": None, "path": f"{k}.png"}, "seed": 1,
         "pixel_hash": str(k), "phash": images.measure(whole).phash}
        for k in range(2)
    ]  # fmt: skip
    batch = make_rows(rows)
    metadata = metadata_of(batch)
    metadata["sources"]["gone"]["root"] = "nowhere"
    manifest.write(tmp_path / "m.parquet", [batch], metadata)
    m = Manifest(tmp_path / "m.parquet")
    with pytest.raises(ImagesMissing, match="FERDATA_ROOT_GONE"):
        duplicates.find([m], table_of(m))


def test_the_self_test_finds_its_own_copies_and_says_which_it_does_not(tmp_path: Path) -> None:
    m = Manifest(write(tmp_path / "a.parquet", {str(k): detailed(k) for k in range(40)}))
    outcome = duplicates.trial(m, pictures=40, copies=20)
    by_kind = {k.kind: k for k in outcome.kinds}
    assert set(by_kind) == set(KINDS)
    assert by_kind["JPEG, quality 75"].recall == by_kind["mirrored"].recall == 1
    assert by_kind["cropped by 20 %"].recall < 0.5
    assert all(k.planted == 20 and k.precision > 0.9 for k in outcome.kinds)
    assert duplicates.trial(m, pictures=40, copies=20) == outcome
    with pytest.raises(BadOption, match="fewer than two different pictures"):
        duplicates.trial(Manifest(write(tmp_path / "b.parquet", {"0": detailed(0)})))


@pytest.mark.slow
def test_real_faces_and_their_jpeg_copies_are_found_and_strangers_are_not() -> None:
    folder = real_data()
    sheet = cv2.imread(str(folder / "fer2013" / "sheet-00.webp"), cv2.IMREAD_GRAYSCALE)
    faces = [sheet[y : y + 48, x : x + 48] for y in range(0, 1920, 48) for x in range(0, 1920, 48)]
    rng = np.random.default_rng(0)
    copies = [grey(KINDS["JPEG, quality 75"](face, rng)) for face in faces]
    small = Small.empty(len(faces) * 2)
    hashes = np.zeros(len(faces) * 2, np.uint64)
    for k, each in enumerate(faces + copies):
        small.put(k, each)
        hashes[k] = images.perceptual_hash(each)
    pairs = connect(hashes, lambda chosen: (small.of(chosen), np.zeros((len(chosen), 0), np.uint64)))
    graph = networkx.Graph(pairs.tolist())
    n = len(faces)
    beside = [networkx.node_connected_component(graph, k) if k in graph else {k} for k in range(n)]
    assert sum(k + n in found for k, found in enumerate(beside)) >= 0.999 * n
    # The sheet has pictures twice, cropped anew; nobody has ten.
    assert max(len(found) for found in beside) < 20
