"""Comparing datasets: facts of each set, what two share, how far apart they are; a page, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferdata import images, manifest
from ferdata.errors import AlreadyExists, BadOption, ImagesMissing
from ferdata.steps.compare_datasets import compare_datasets
from tests.conftest import MakeManifest, Ran, make_rows, metadata_of, picture

Run = Callable[..., Ran]


def rows(dataset: str, seeds: range, label: str = "fear", **more: object) -> list[dict]:
    return [{"dataset": dataset, "native_label": label, "seed": seed, **more} for seed in seeds]


@pytest.fixture
def two(make_manifest: MakeManifest) -> tuple[Path, Path]:
    """Return two sets of twenty pictures, of which four are in both, under other labels in the one half."""
    mine = rows("a", range(10)) + rows("a", range(10, 20), "anger")
    theirs = rows("b", range(16, 18)) + rows("b", range(18, 20), "anger") + rows("b", range(40, 56), "happiness")
    return make_manifest(*mine, name="one"), make_manifest(*theirs, name="other")


def test_each_set_and_what_two_share_is_told(two: tuple[Path, Path]) -> None:
    found = compare_datasets(*two)
    assert [s.name for s in found.sets] == ["a", "b"]
    assert [s.rows for s in found.sets] == [20, 20]
    assert found.sets[1].classes.counts["happiness"] == 16
    assert (found.sets[0].short_side.median, found.sets[0].grey, found.sets[0].looked) == (48, 1.0, 20)
    (pair,) = found.between
    assert pair.classes == ("anger", "fear")
    assert (pair.pictures, pair.near, pair.rows_first, pair.rows_second) == (4, 0, 4, 4)
    assert pair.labels is not None
    assert (pair.labels.first, pair.labels.agreement) == ("a", 0.5)
    (turned,) = compare_datasets(*reversed(two)).between
    assert turned.labels is not None
    assert (turned.first, turned.labels.first, turned.labels.second) == ("b", "b", "a")
    assert turned.labels.cells == tuple(sorted((b, a, n) for a, b, n in pair.labels.cells))
    assert pair.distance is not None
    assert (pair.distance.n_first, pair.distance.n_second) == (20, 20)
    assert "share 4 pictures" in found.notes[0]


def test_the_datasets_of_a_merged_manifest_are_its_sets(two: tuple[Path, Path], tmp_path: Path) -> None:
    from ferdata.steps.merge import merge

    merged = merge(*two, out=tmp_path / "m.parquet").out
    found = compare_datasets(merged)
    assert found.between == compare_datasets(*two).between
    assert not any("share" in note for note in found.notes)  # a merge keeps them in one split


def shown(pixels: np.ndarray, **more: object) -> dict:
    facts = images.measure(pixels)
    stored = {"bytes": images.encode_png(pixels), "path": None}
    return {"image": stored, **{name: getattr(facts, name) for name in images.Facts.__slots__}, **more}


def test_copies_that_were_encoded_again_are_found_unless_no_image_is_read(make_manifest: MakeManifest) -> None:
    def encoded(seed: int) -> np.ndarray:
        coded = cv2.imencode(".jpg", cv2.resize(picture(seed, 96), (80, 80)), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))

    first = make_manifest(*[shown(picture(s, 96), dataset="a") for s in range(12)], name="a")
    second = make_manifest(*[shown(encoded(s), dataset="b") for s in (*range(3), *range(50, 60))], name="b")
    (pair,) = compare_datasets(first, second).between
    assert (pair.pictures, pair.near) == (3, 3)
    (pair,) = compare_datasets(first, second, pixels=False).between
    assert pair.pictures == 0


def test_the_distance_is_of_one_image_of_each_person(make_manifest: MakeManifest) -> None:
    people = [{**row, "subject": f"s{i % 12}"} for i, row in enumerate(rows("a", range(60)))]
    found = compare_datasets(make_manifest(*people, name="a"), make_manifest(*rows("b", range(60, 90)), name="b"))
    (pair,) = found.between
    assert pair.distance is not None
    assert (pair.distance.n_first, pair.distance.n_second) == (12, 30)
    assert (found.sets[0].people, found.sets[0].looked) == (12, 60)
    assert any("Only 12 images of a" in note for note in found.notes)


def test_heads_are_as_far_turned_as_their_landmarks_say(make_manifest: MakeManifest) -> None:
    upright = [10.0, 20.0, 30.0, 20.0, 25.0, 30.0, 12.0, 40.0, 28.0, 40.0]  # the nose a quarter of the way aside
    tilted = [10.0, 20.0, 30.0, 40.0, 12.5, 37.5, 0.0, 45.0, 20.0, 60.0]
    one = make_manifest(*rows("a", range(12), landmarks=upright), name="a")
    other = make_manifest(*rows("b", range(12), landmarks=tilted), name="b")
    first, second = compare_datasets(one, other).sets
    assert first.roll is not None
    assert first.turn is not None
    assert second.roll is not None
    assert second.turn is not None
    assert (first.roll.median, first.turn.median) == pytest.approx((0, 0.25))
    assert (second.roll.median, second.turn.median) == pytest.approx((45, 0), abs=1e-6)


def test_who_is_shown_by_what_and_how_far_voters_agree_is_told(make_manifest: MakeManifest, ferdata: Run) -> None:
    people = [{"gender": "female" if i else "male", "age": "20-29"} for i in range(4)]
    votes = [[6, 4, 0, 0, 0, 0, 0, 0, 0, 0], [4, 0, 3, 0, 3, 0, 0, 0, 0, 0]]
    one = make_manifest(*[row | {"dataset": "a", "native_label": "neutral"} for row in people], name="a")
    voted = [{"dataset": "b", "votes": v, "synthetic": True} for v in votes]
    other = make_manifest(*voted, name="b", policy="multi_target")
    first, second = compare_datasets(one, other).sets
    assert (first.gender, first.age, first.ethnicity) == ({"female": 3, "male": 1}, {"20-29": 4}, {})
    assert (first.doubted, second.doubted, second.synthetic) == (None, 0.5, 1.0)
    assert "female 75%, male 25%" in ferdata("datasets", "compare", one, other).out


def test_a_net_is_shown_the_drawn_images_and_named(two: tuple[Path, Path]) -> None:
    class Brightness:
        name = "the mean grey value"

        def __call__(self, images: list[np.ndarray]) -> np.ndarray:
            return np.array([[image.mean()] for image in images], np.float32)

    found = compare_datasets(*two, features=Brightness(), images=15)
    assert found.by == "the mean grey value"
    (pair,) = found.between
    assert pair.distance is not None
    assert (pair.distance.n_first, pair.distance.n_second) == (15, 15)
    assert found == compare_datasets(*two, features=Brightness(), images=15)
    with pytest.raises(BadOption, match="reads none"):
        compare_datasets(*two, features=Brightness(), pixels=False)


def test_the_page_shows_faces_and_tables_and_asks_no_network(two: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    compare_datasets(*two, out=out)
    page = out.read_text(encoding="utf-8")
    assert page.count('src="data:image/webp') == 24
    assert "Shared pictures" in page
    assert "{{" not in page
    assert "http:" not in page
    assert "https:" not in page
    with pytest.raises(AlreadyExists):
        compare_datasets(*two, out=out)
    compare_datasets(*two, out=out, pixels=False, force=True)
    assert "data:image" not in out.read_text(encoding="utf-8").split("Content-Security-Policy")[1].split("</head>")[1]


def test_what_cannot_be_compared_is_refused(make_manifest: MakeManifest, two: tuple[Path, Path]) -> None:
    one = make_manifest(*rows("a", range(3)), name="fearful")
    other = make_manifest(*rows("b", range(3, 6), "anger"), name="angry")
    empty = one.with_name("empty.parquet")
    manifest.write(empty, [], metadata_of(make_rows([{}])))
    for manifests, why in (
        ((), "No manifest"),
        ((one,), "one dataset, a"),
        ((one, one), "named twice"),
        ((one, empty), "no rows"),
        ((one, other), "no class in common"),
    ):
        with pytest.raises(BadOption, match=why):
            compare_datasets(*manifests)
    with pytest.raises(BadOption, match="different taxonomies"):
        compare_datasets(one, two[0].parent / _with_taxonomy(two[1], "basic7"))
    with pytest.raises(BadOption, match="--images"):
        compare_datasets(*two, images=3)
    with pytest.raises(BadOption, match="page cannot be"):
        compare_datasets(*two, out="page.pdf")


def _with_taxonomy(path: Path, taxonomy: str) -> Path:
    from ferdata.steps.merge import merge

    return merge(path, out=path.with_name("other7.parquet"), taxonomy=taxonomy).out


def test_a_set_without_labels_can_be_compared_by_its_faces(make_manifest: MakeManifest) -> None:
    mine = make_manifest(*[{"dataset": "mine", "seed": s} for s in range(12)], name="mine")
    (pair,) = compare_datasets(mine, make_manifest(*rows("b", range(20, 40)), name="b")).between
    assert (pair.classes, pair.jensen_shannon, pair.labels) == ((), None, None)
    assert pair.distance is not None


def test_images_that_have_moved_are_missed_unless_none_is_read(tmp_path: Path, two: tuple[Path, Path]) -> None:
    from ferdata.steps.ingest import ingest
    from tests.fakes import face, save

    for i in range(12):
        save(tmp_path / "photos" / "happy" / f"{i}.png", face(i))
    made = ingest("folder", root=tmp_path / "photos", out=tmp_path / "p.parquet", name="mine").out
    (tmp_path / "photos").rename(tmp_path / "away")
    with pytest.raises(ImagesMissing, match="--no-pixels"):
        compare_datasets(made, two[1])
    (pair,) = compare_datasets(made, two[1], pixels=False).between
    assert pair.distance is not None


def test_the_command_prints_tables_that_fit_or_one_document(ferdata: Run, two: tuple[Path, Path]) -> None:
    ran = ferdata("datasets", "compare", *two)
    assert ran.code == 0, ran
    assert "Beware: a and b share 4 pictures" in ran.out
    assert "brightness, contrast, shape and detail" in ran.out
    told = json.loads(ferdata("datasets", "compare", *two, "--json").out)
    assert [s["name"] for s in told["sets"]] == ["a", "b"]
    assert told["between"][0]["distance"]["p"] > 0


def test_facts_are_of_as_many_images_as_were_asked_for(make_manifest: MakeManifest) -> None:
    people = [{**row, "subject": f"s{i % 12}"} for i, row in enumerate(rows("a", range(60)))]
    other = make_manifest(*rows("b", range(60, 90)), name="b")
    assert compare_datasets(make_manifest(*people, name="a"), other, images=15).sets[0].looked == 15


def test_what_a_net_could_tell_sets_by_is_warned_of(make_manifest: MakeManifest) -> None:
    coloured = np.stack([picture(s) if c else picture(s + 1) for s in (99,) for c in (0, 1, 0)], axis=2)
    cut = {"detector": "yunet", "faces": 1, "pixel_hash": "0"}
    one = make_manifest(*[shown(coloured, dataset="a", alignment=cut) for _ in range(3)], name="a")
    crops, grey, few = compare_datasets(one, make_manifest(*rows("b", range(40)), name="b")).notes
    assert "(a aligned by yunet; b as published)" in crops
    assert "b mostly grey, a mostly in colour" in grey
    assert few.startswith("No distance of a and b")
