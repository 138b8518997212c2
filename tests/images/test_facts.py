"""Images: what one decode tells, what is refused, and when two files are the same picture."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ferdata import images
from tests.conftest import picture

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


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(48, 48), (350, 350), (512, 512), (4000, 4000), (3, 40_000), (512, 512, 3)])
def test_facts_are_those_of_float64_at_every_size(shape: tuple[int, ...], depth: type) -> None:
    """OpenCV adds up some sums in 32 bits; those of bright pictures of 182 px a side and more do not fit."""
    smooth = cv2.resize(picture(5), shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., *[None] * (len(shape) - 2)]
    noise = np.random.default_rng(5).integers(0, 40, shape)
    image = (140 + smooth // 4 + noise).astype(depth) << (8 if depth is np.uint16 else 0)
    grey = images.as_uint8(image)
    grey = cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY) if grey.ndim == 3 else grey
    values = grey.astype(np.float64) / 255
    rim = np.pad(values, 1, mode="reflect")
    edges = rim[:-2, 1:-1] + rim[2:, 1:-1] + rim[1:-1, :-2] + rim[1:-1, 2:] - 4 * values
    facts = images.measure(image)
    found = (facts.brightness, facts.contrast, facts.sharpness)
    assert found == pytest.approx((values.mean(), values.std(), edges.var()), rel=1e-9)
    assert (facts.width, facts.height) == (shape[1], shape[0])
    if min(shape[:2]) >= 32:
        waves = low_frequencies(grey)
        bits = np.unpackbits(np.array([facts.phash], ">u8").view(np.uint8)).reshape(8, 8) == 1
        assert not ((bits != (waves > 0)) & (np.abs(waves) > 30)).any()  # a sign may differ where rounding decides


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
        measured.add(picture(i))
        assert len(measured._waiting) * 48 * 48 < 5000
    assert [len(column) for column in measured.columns().values()] == [20] * 8


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
