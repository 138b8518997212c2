"""Images: what one decode tells, what is refused, and when two files are the same picture."""

import hashlib
import itertools
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import sklearn.datasets
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ferdata import images
from tests.conftest import picture

PHOTOGRAPHS = Path(sklearn.datasets.__file__).parent / "images"  # two, which scikit-learn brings along
SIDES = st.one_of(st.integers(1, 130), st.sampled_from([32, 48, 64, 96]))


def test_the_pixel_hash_survives_a_change_of_container() -> None:
    pixels = picture(1)
    png = images.decode(images.encode_png(pixels))
    bmp = images.decode(cv2.imencode(".bmp", pixels)[1].tobytes())
    assert images.pixel_hash(png) == images.pixel_hash(bmp) == images.pixel_hash(pixels)


def test_grey_saved_as_colour_is_the_same_picture() -> None:
    pixels = picture(1)
    assert images.pixel_hash(np.dstack([pixels] * 3)) == images.pixel_hash(pixels)


def test_one_pixel_or_another_shape_is_another_picture() -> None:
    pixels = picture(1)
    changed = pixels.copy()
    changed[0, 0] ^= 1
    assert len({images.pixel_hash(p) for p in (pixels, changed, pixels.reshape(24, 96))}) == 3


def test_colour_is_decoded_as_rgb() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert (images.decode(images.encode_png(red)) == red).all()


def test_exif_orientation_is_applied() -> None:
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, :8] = 255
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    facts = images.measure(images.decode(turned))
    assert (facts.width, facts.height) == (8, 16)


def test_sixteen_bits_are_kept_and_named() -> None:
    deep = (picture(2).astype(np.uint16) << 8) + 7
    decoded = images.decode(images.encode_png(deep))
    assert decoded.dtype == np.uint16
    assert images.measure(decoded).mode == "L16"


def test_the_facts_of_one_colour_are_known() -> None:
    facts = images.measure(np.full((10, 20), 51, np.uint8))
    assert (facts.width, facts.height, facts.mode) == (20, 10, "L")
    assert (facts.brightness, facts.contrast, facts.sharpness) == (pytest.approx(0.2), 0, 0)


SHAPES = st.one_of(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES, st.just(3)))


@given(st.lists(st.tuples(SHAPES, st.sampled_from(["B", "H"]), st.integers(0, 1 << 16)), min_size=1, max_size=6))
@settings(max_examples=150)
def test_pictures_have_the_same_facts_together_as_alone(wanted: list) -> None:
    def drawn(shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return (
            rng.integers(0, 256, shape).astype(kind) << (8 if kind == "H" else 0)
            if seed % 3
            else np.full(shape, 7, kind)
        )

    pictures = [drawn(*each) for each in [*wanted, *wanted]]
    together = images.Measured()
    for each in pictures:
        together.add(each)
    alone = [images.measure(each) for each in pictures]
    for name, column in together.columns().items():
        assert column == [getattr(facts, name) for facts in alone], name


@given(st.tuples(SIDES, SIDES), st.integers(0, 1 << 16))
@settings(max_examples=150)
def test_facts_are_those_that_opencv_measures_one_by_one(shape: tuple[int, int], seed: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    facts = images.measure(grey)
    mean, deviation = (v[0, 0] / 255 for v in cv2.meanStdDev(grey))
    edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1][0, 0] / 255
    found = (facts.brightness, facts.contrast, facts.sharpness)
    assert found == pytest.approx((mean, deviation, edges**2), rel=1e-9, abs=1e-9)
    waves = cv2.dct(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32))
    low = waves[:8, :8].copy()
    low[0, 0] = waves[8, 0]
    differ = (np.unpackbits(np.array([facts.phash], ">u8").view(np.uint8)).reshape(8, 8) == 1) != (low > 0)
    assert not (differ & (np.abs(low) > 0.1)).any()  # a sign may differ where float32 cannot tell it


def content(kind: str, side: int) -> np.ndarray:
    """Return a picture of `side` pixels, uint8: one shade, the largest contrast there is, or a photograph in colour."""
    if kind in ("white", "black"):
        return np.full((side, side), 255 if kind == "white" else 0, np.uint8)
    if kind == "stripes":
        return np.tile(np.repeat(np.array([0, 255], np.uint8), side // 2), (side, 1))
    photograph = images.decode((PHOTOGRAPHS / f"{kind}.jpg").read_bytes())[:420, :420]
    return np.asarray(cv2.resize(photograph, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("kind", "side"),
    [
        *itertools.product(("white", "black", "stripes", "china", "flower"), (48, 100, 350, 512)),
        *itertools.product(("white", "black", "china"), (4000,)),
    ],
)
def test_every_measured_column_is_what_plain_float64_gives(kind: str, side: int, bits: int) -> None:
    """OpenCV adds up some sums in 32 bits: of a white picture of 182 px, or of an ordinary one of 350, none fits."""
    low = np.random.default_rng(side).integers(0, 256, content(kind, side).shape)
    image = content(kind, side) if bits == 8 else (content(kind, side).astype(np.uint16) << 8) | low.astype(np.uint16)
    check(image)


@pytest.mark.parametrize("shape", [(3, 40_000), (40_000, 3), (1, 1), (2, 5, 3)])
def test_every_measured_column_is_what_plain_float64_gives_of_other_shapes(shape: tuple[int, ...]) -> None:
    check(np.random.default_rng(1).integers(200, 256, shape).astype(np.uint8))


def check(image: np.ndarray) -> None:
    """Compare every fact of an image with what numpy gives for it, number by number, in 64 bits."""
    facts = images.measure(image)
    upper = (image >> 8 if image.dtype == np.uint16 else image).astype(np.float64)
    if image.ndim == 3:  # Rec. 601 in whole numbers, as OpenCV rounds it
        upper = np.floor((upper @ (9798.0, 19235.0, 3735.0)) / (1 << 15) + 0.5)
    values = upper / 255
    rim = np.pad(values, [(min(1, n - 1),) * 2 for n in values.shape], mode="reflect")
    rim = np.pad(rim, [(1 - min(1, n - 1),) * 2 for n in values.shape], mode="edge")
    edges = rim[:-2, 1:-1] + rim[2:, 1:-1] + rim[1:-1, :-2] + rim[1:-1, 2:] - 4 * values
    found = (facts.brightness, facts.contrast, facts.sharpness)
    assert found == pytest.approx((values.mean(), values.std(), edges.var()), rel=1e-9, abs=1e-12)
    assert (facts.height, facts.width) == image.shape[:2]
    assert facts.mode == ("L" if image.ndim == 2 else "RGB") + ("16" if image.dtype == np.uint16 else "")
    plain = image[..., 0] if image.ndim == 3 and (image == image[..., :1]).all() else image
    digest = hashlib.blake2b(repr((plain.shape, plain.dtype.name)).encode() + plain.tobytes(), digest_size=16)
    assert facts.pixel_hash == digest.hexdigest()
    if min(image.shape[:2]) >= 32:
        waves = low_frequencies(upper)
        bits = np.unpackbits(np.array([facts.phash], ">u8").view(np.uint8)).reshape(8, 8) == 1
        # A sign may differ where rounding decides; and of one shade, nothing but the first is above 0.
        assert not ((bits != (waves > 0)) & (np.abs(waves) > 30)).any()


def low_frequencies(grey: np.ndarray) -> np.ndarray:
    """Return what the perceptual hash has the signs of, float64 (8, 8), from a 32 x 32 copy by exact areas."""
    down, across = (
        np.clip(np.minimum.outer(hi, np.arange(1, n + 1)) - np.maximum.outer(hi - n / 32, np.arange(n)), 0, 1)
        / (n / 32)
        for n in grey.shape
        for hi in [np.arange(1, 33) * n / 32]
    )
    waves = np.cos(np.pi * np.outer(np.arange(9), 2 * np.arange(32) + 1) / 64)
    found = waves @ (down @ grey.astype(np.float64) @ across.T) @ waves[:8].T
    low = found[:8].copy()
    low[0, 0] = found[8, 0]
    return low


def test_many_large_pictures_are_not_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferdata.images.facts.HELD", 5000)
    measured = images.Measured()
    for i in range(20):
        measured.add(picture(i, 30 + i % 7))  # seven shapes, none of which comes to STACK values
        assert sum(image.size for alike in measured._waiting.values() for _, image in alike) < 5000
    assert measured.columns()["width"] == [30 + i % 7 for i in range(20)]


def test_a_picture_for_which_there_is_no_other_waits_for_none() -> None:
    measured = images.Measured()
    for side in (224, 400, 300):
        measured.add(picture(side, side))
        assert not any(measured._waiting.values())
    assert measured.columns()["width"] == [224, 400, 300]


@pytest.mark.parametrize("where", [(0, 0), (7, 3), (14, 9)])
def test_a_picture_that_is_grey_but_for_one_pixel_is_in_colour(where: tuple[int, int]) -> None:
    tripled = np.dstack([picture(5, 15)[:, :10]] * 3)
    almost = tripled.copy()
    almost[(*where, 2)] ^= 1
    assert images.pixel_hash(tripled) == images.pixel_hash(picture(5, 15)[:, :10])
    assert images.pixel_hash(almost) != images.pixel_hash(tripled)


def test_a_sharp_picture_is_sharper_than_its_blur() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    blurred = cv2.GaussianBlur(pixels, (7, 7), 2)
    assert images.measure(pixels).sharpness > 4 * images.measure(blurred).sharpness


def test_the_perceptual_hash_is_close_for_a_reencoded_copy_and_far_for_another_picture() -> None:
    def far(a: np.ndarray, b: np.ndarray) -> int:
        return (images.measure(a).phash ^ images.measure(b).phash).bit_count()

    pixels = picture(3, 96)
    jpeg = images.decode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes())
    assert far(pixels, np.asarray(jpeg)) <= 6
    assert far(pixels, picture(4, 96)) > 16


def test_the_hash_of_the_mirror_image_needs_no_pixels() -> None:
    for seed in range(20):
        pixels = picture(seed, 96)
        there = images.measure(np.ascontiguousarray(pixels[:, ::-1])).phash
        assert (images.mirrored(images.measure(pixels).phash) ^ there).bit_count() <= 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_file_that_is_cut_short_is_refused(suffix: str, share: float) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    whole = cv2.imencode(suffix, noisy)[1].tobytes()
    with pytest.raises(images.UnreadableImage):
        images.decode(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("data", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(images.UnreadableImage):
        images.decode(data)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    header = cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes()
    huge = header[:16] + (60_000).to_bytes(4, "big") * 2 + header[24:]
    import zlib

    bomb = huge[:29] + zlib.crc32(huge[12:29]).to_bytes(4, "big") + huge[33:]
    with pytest.raises(images.UnreadableImage):
        images.decode(bomb)


@pytest.mark.parametrize("suffix", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animated_image_is_refused_and_a_still_of_the_kind_is_read(suffix: str) -> None:
    stills = [Image.fromarray(picture(seed)) for seed in (1, 2, 3)]
    moving, still = BytesIO(), BytesIO()
    stills[0].save(moving, suffix, save_all=True, append_images=stills[1:], duration=100)
    stills[0].save(still, suffix)
    assert images.decode(still.getvalue()).shape[:2] == (48, 48)
    with pytest.raises(images.UnreadableImage, match="animated"):
        images.decode(moving.getvalue())


def test_cmyk_and_palette_images_are_read_as_colour() -> None:
    colour = Image.fromarray(np.dstack([picture(seed) for seed in (1, 2, 3)]))
    for mode, suffix in (("CMYK", "JPEG"), ("P", "PNG")):
        file = BytesIO()
        colour.convert(mode).save(file, suffix)
        facts = images.measure(images.decode(file.getvalue()))
        assert (facts.width, facts.height, facts.mode) == (48, 48, "RGB")


def test_a_very_wide_image_is_read_and_a_huge_one_refused() -> None:
    wide = cv2.imencode(".png", np.zeros((4, 40_000), np.uint8))[1].tobytes()
    assert images.measure(images.decode(wide)).width == 40_000
    huge = cv2.imencode(".png", np.zeros((9_000, 9_000), np.uint8))[1].tobytes()
    with pytest.raises(images.UnreadableImage, match="refused by the decoder"):
        images.decode(huge)
