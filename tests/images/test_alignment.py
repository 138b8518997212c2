"""Alignment: five points land on the template however a face is turned, and what is cut is what the transform says."""

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferdata.drawing import expression, landmarks, paint, person, scene
from ferdata.errors import BadOption, MissingModel
from ferdata.images import alignment, decode, detectors
from ferdata.images.alignment import ARCFACE, NO_FACE, SEVERAL, Aim, Published
from ferdata.images.detectors import Face
from tests.conftest import picture, real_data

WHO, CALM, STRAIGHT = person(5), expression("neutral", 0.0, 0), scene(7, plain=True)


class Sees:
    """A detector that says what it is told to, and counts how often it is asked."""

    name = "haar"

    def __init__(self, *faces: Face) -> None:
        self.faces, self.asked = list(faces), 0

    def __call__(self, image: np.ndarray) -> list[Face]:
        self.asked += 1
        return self.faces


def turned(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """A transform (2, 3) about the middle of a 200 x 200 picture."""
    return cv2.getRotationMatrix2D((99.5, 99.5), degrees, scale) + np.array([[0, 0, shift[0]], [0, 0, shift[1]]])


@pytest.mark.parametrize("size", [48, 112, 224])
@pytest.mark.parametrize("margin", [0.0, 0.2])
@pytest.mark.parametrize("degrees", [0, 30, -75, 180])
def test_points_of_the_templates_shape_land_on_it_exactly(degrees: float, margin: float, size: int) -> None:
    aim = Aim(size, margin)
    there = alignment.apply(turned(degrees, 1.7, (20, -9)), ARCFACE)
    placed = alignment.apply(alignment.to_template(there, aim), there)
    assert np.abs(placed - alignment.template_points(aim)).max() < 1e-6


def test_the_template_at_its_own_size_is_the_published_one_and_a_margin_draws_it_to_the_middle() -> None:
    assert np.allclose(alignment.template_points(Aim()), ARCFACE)
    wide = alignment.template_points(Aim(margin=0.5))
    assert np.allclose(wide - 55.5, (ARCFACE - 55.5) / 2)


@pytest.mark.parametrize(
    ("roll", "scale", "shift"), [(25.0, 0.3, (0.1, 0.0)), (-40.0, 0.4, (-0.1, 0.05)), (90, 0.3, (0, 0))]
)
def test_a_drawn_face_comes_to_lie_the_same_however_it_was_turned_and_scaled(
    roll: float, scale: float, shift: tuple[float, float]
) -> None:
    crops, places = [], []
    for seen in (STRAIGHT, replace(STRAIGHT, roll=roll, scale=scale, shift=shift)):
        points = landmarks(WHO, CALM, seen, 400, 300)
        crop = alignment.align(paint(WHO, CALM, seen, 400, 300), Aim(), Sees(), Published(points))
        crops.append(crop.pixels.astype(float))
        places.append(alignment.five_points(alignment.apply(crop.transform, points)))
    assert np.abs(places[0] - places[1]).max() < 0.1
    eyes = places[1][:2]
    assert abs(eyes[0, 1] - eyes[1, 1]) < 1
    assert np.abs(eyes.mean(0) - ARCFACE[:2].mean(0)).max() < 4  # a drawn face is not quite built like the template
    inner = np.s_[40:100, 30:82]
    assert np.abs(crops[0][inner] - crops[1][inner]).mean() < 8


def test_an_open_mouth_shrinks_a_face_on_the_arcface_template_but_not_on_the_eyes() -> None:
    spans = {}
    for template in ("arcface", "eyes"):
        for mouth in (0, 12):
            five = ARCFACE + np.array([[0, 0], [0, 0], [0, 0], [0, mouth], [0, mouth]])
            placed = alignment.apply(alignment.to_template(five, Aim(template=template)), five)
            spans[template, mouth] = placed[1, 0] - placed[0, 0]
    assert spans["arcface", 12] < spans["arcface", 0] - 2
    assert abs(spans["eyes", 12] - spans["eyes", 0]) < 1e-6


def test_the_drawn_pupils_are_where_the_transform_says_within_a_pixel() -> None:
    seen = replace(STRAIGHT, roll=20.0)
    image = np.zeros((300, 400), np.uint8)
    points = landmarks(WHO, CALM, seen, 400, 300)
    five = alignment.five_points(points)
    for x, y in five[:2]:
        cv2.circle(image, (round(x * 16), round(y * 16)), 3 * 16, 255, -1, cv2.LINE_AA, 4)
    crop = alignment.align(image, Aim(), Sees(), Published(points))
    expected = alignment.apply(crop.transform, five[:2])
    for half, (x, y) in ((np.s_[:, :56], expected[0]), (np.s_[:, 56:], expected[1])):
        rows, columns = np.indices(crop.pixels.shape)
        weight = crop.pixels[half].astype(float)
        assert abs((columns[half] * weight).sum() / weight.sum() - x) < 1
        assert abs((rows[half] * weight).sum() / weight.sum() - y) < 1


def test_68_points_give_the_eyes_the_nose_and_the_mouth() -> None:
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[30], points[48], points[54] = (10, 10), (30, 10), (20, 20), (12, 30), (28, 30)
    assert alignment.five_points(points).tolist() == [[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]]


def test_the_side_of_five_points_is_told_from_the_picture_even_upside_down() -> None:
    swapped = ARCFACE[[1, 0, 2, 4, 3]]
    assert (alignment.five_points(swapped) == ARCFACE).all()
    assert (alignment.five_points(-swapped) == -ARCFACE).all()


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.ones((37, 2)), np.zeros((0, 2))])
def test_points_that_say_nothing_and_unknown_layouts_are_not_believed(points: np.ndarray) -> None:
    assert alignment.five_points(points) is None
    looking = Sees(Face((10, 10, 20, 20), 1.0, None))
    assert alignment.align(picture(1), Aim(), looking, Published(points)).detector == "haar"
    boxed = alignment.align(picture(1), Aim(), looking, Published(points, (5.0, 5.0, 30.0, 30.0)))
    assert (boxed.detector, boxed.box) == ("published", (5.0, 5.0, 30.0, 30.0))
    assert looking.asked == 1


def test_a_box_is_cut_to_the_pixel_and_what_lies_outside_is_black() -> None:
    image = picture(3, 64)
    transform = alignment.to_box((16, 8, 32, 32), Aim(32, template="box"))
    assert (alignment.warp(image, transform, 32) == image[8:40, 16:48]).all()
    outside = alignment.warp(image, alignment.to_box((-32, 0, 64, 64), Aim(64)), 64)
    assert (outside[:, :32] == 0).all()
    assert (outside[:, 32:] == image[:, :32]).all()


def test_a_large_picture_is_averaged_not_skipped_and_stays_in_its_place() -> None:
    rows, columns = np.indices((401, 603))
    checks = (((rows + columns) % 2) * 255).astype(np.uint8)
    crop = alignment.warp(checks, alignment.to_box((0, 0, 400, 400), Aim(50)), 50)
    assert np.abs(crop.astype(int) - 127).max() < 20
    ramp = (columns / 3).astype(np.uint8)
    assert (
        np.abs(
            alignment.warp(ramp, alignment.to_box((0, 0, 400, 400), Aim(50)), 50)[25] - (np.arange(50) * 8 + 3.5) / 3
        ).max()
        < 1.5
    )


def test_a_box_moves_with_its_picture() -> None:
    transform = alignment.to_box((16, 8, 32, 32), Aim(64))
    assert np.allclose(alignment.apply_to_box(transform, (16, 8, 32, 32)), (0, 0, 64, 64))


def test_16_bits_and_colour_come_out_with_8_bits_and_colour() -> None:
    deep = picture(1).astype(np.uint16) << 8
    transform = alignment.to_box((0, 0, 48, 48), Aim(48))
    assert (alignment.warp(deep, transform, 48) == picture(1)).all()
    colour = np.dstack([picture(1), picture(2), picture(3)])
    assert (alignment.warp(colour, transform, 48) == colour).all()


def test_no_face_keeps_the_whole_picture_or_the_published_box_with_an_issue() -> None:
    image = picture(1, 60)[:40]
    crop = alignment.align(image, Aim(60, margin=0.3), Sees(), Published())
    assert (crop.issue, crop.faces, crop.box) == (NO_FACE, 0, None)
    assert (crop.pixels[10:50] == image).all()
    crop = alignment.align(image, Aim(20), Sees(), Published(box=(5.0, 5.0, 20.0, 20.0)), first=False)
    assert crop.issue == NO_FACE
    assert (crop.pixels == image[5:25, 5:25]).all()


def test_of_several_faces_the_largest_and_most_central_is_taken_unless_a_box_says_which() -> None:
    large, small, edge = (Face(box, 1.0, None) for box in ((30, 30, 40, 40), (45, 45, 9, 9), (0, 0, 41, 41)))
    image = picture(1, 100)
    crop = alignment.align(image, Aim(), Sees(small, edge, large), Published())
    assert (crop.issue, crop.faces, crop.box) == (SEVERAL, 3, large.box)
    crop = alignment.align(image, Aim(), Sees(small, edge, large), Published(box=(2.0, 1.0, 40.0, 40.0)), first=False)
    assert (crop.issue, crop.box) == (None, edge.box)


def model() -> bytes:
    return detectors.read_model(real_data() / "models" / detectors.MODEL_NAME)


@pytest.mark.parametrize("name", detectors.DETECTORS)
def test_a_detector_finds_photographed_faces_and_none_in_noise(name: str) -> None:
    import zipfile

    data = model()
    found = detectors.make(name, data)
    with zipfile.ZipFile(real_data() / "photos.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.lower().endswith((".jpg", ".png")))[::10][:40]
        pictures = [decode(archive.read(n)) for n in names]
    faces = [detectors.chosen(found(p), p.shape[1], p.shape[0]) for p in pictures]
    assert sum(f is not None for f in faces) >= (0.9 if name == "haar" else 1.0) * len(pictures)
    assert found(np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)) == []
    if name == "yunet":
        twice = alignment.align(pictures[0], Aim(), found, Published())
        five = alignment.apply(twice.transform, twice.landmarks)
        assert np.abs(five[:2] - ARCFACE[:2]).max() < 8


def test_yunets_points_follow_a_photograph_that_is_turned() -> None:
    import zipfile

    found = detectors.make("yunet", model())
    with zipfile.ZipFile(real_data() / "photos.zip") as archive:
        name = next(n for n in sorted(archive.namelist()) if n.lower().endswith(".jpg"))
        image = decode(archive.read(name))
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 15, 0.9)
    other = cv2.warpAffine(image, matrix, (width, height))
    before, after = found(image)[0].landmarks, found(other)[0].landmarks
    across = np.hypot(*(before[1] - before[0]))
    assert np.abs(alignment.apply(matrix, before) - after).max() < 0.15 * across


def test_a_model_that_is_missing_cut_short_or_another_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(detectors.MODEL_VARIABLE, raising=False)
    monkeypatch.setattr(detectors, "MODEL_URL", "http://127.0.0.1:9/yunet.onnx")  # where nobody answers
    assert detectors.find_model() is None
    with pytest.raises(MissingModel, match=r"not found, and its download failed: .*refused") as none:
        detectors.make("yunet")
    assert detectors.MODEL_URL in none.value.hint
    assert str(tmp_path / "cache" / detectors.MODEL_NAME) in none.value.hint
    cached = detectors.cached_model()
    cached.parent.mkdir()
    cached.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert detectors.find_model() == cached
    with pytest.raises(MissingModel, match="not the known YuNet model: 42 bytes"):
        detectors.make("yunet")
    monkeypatch.setenv(detectors.MODEL_VARIABLE, str(tmp_path / "gone.onnx"))
    with pytest.raises(MissingModel, match=r"gone\.onnx cannot be read"):
        detectors.make("yunet")
    assert detectors.find_model(tmp_path / "given.onnx") == tmp_path / "given.onnx"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on the loopback, and yield its address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_model_is_downloaded_once_and_nothing_else_is_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model()
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(detectors.MODEL_VARIABLE, raising=False)
    with serving(tmp_path) as address:
        monkeypatch.setattr(detectors, "MODEL_URL", f"{address}/yunet.onnx")
        with pytest.raises(MissingModel, match=r"download failed: .*(Not Found|not found)"):
            detectors.read_model(None)
        for wrong in (whole[:1000], whole + b"and more", b"<html>"):
            (tmp_path / "yunet.onnx").write_bytes(wrong)
            with pytest.raises(MissingModel, match="not the known YuNet model"):
                detectors.read_model(None)
            assert not detectors.cached_model().exists()
        (tmp_path / "yunet.onnx").write_bytes(whole)
        assert detectors.read_model(detectors.find_model()) == whole
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [detectors.MODEL_NAME]
    assert detectors.read_model(detectors.find_model()) == whole  # with nobody to ask any more


def test_a_detector_that_is_none_is_refused() -> None:
    with pytest.raises(BadOption, match="retina"):
        detectors.make("retina")
