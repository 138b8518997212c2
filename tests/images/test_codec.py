"""Codec: a picture is whole where its own format says so, whatever follows, and what cannot be read is called by name.

What follows the end of a picture is a phone's business: the film of a motion photo, a second view, a maker's notes.
"""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ferdata import images
from ferdata.schema import is_image
from tests.conftest import picture


def encoded(suffix: str, side: int = 64, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, np.dstack([picture(i, side) for i in range(3)]), options)
    assert done
    return data.tobytes()


def saved(form: str, frames: int = 1, **options: object) -> bytes:
    file = BytesIO()
    first, *others = [Image.fromarray(np.dstack([picture(i + f, 64) for i in range(3)])) for f in range(frames)]
    first.save(file, form, **({"save_all": True, "append_images": others} if others else {}), **options)
    return file.getvalue()


def with_thumbnail(jpeg: bytes, thumbnail: bytes) -> bytes:
    app1 = b"Exif\0\0" + thumbnail
    return jpeg[:2] + b"\xff\xe1" + (len(app1) + 2).to_bytes(2, "big") + app1 + jpeg[2:]


WHOLE = {
    "baseline": encoded(".jpg"),
    "progressive": encoded(".jpg", 64, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": encoded(".jpg", 64, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "thumbnail": with_thumbnail(encoded(".jpg"), encoded(".jpg", 16)),
    "fill bytes": encoded(".jpg").replace(b"\xff\xda", b"\xff\xff\xff\xda", 1),
    "png": encoded(".png"),
}


@pytest.mark.parametrize(
    "behind", [b"", b"\0" * 5_000, b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40, b"\xff\xd8" * 99]
)
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_picture_is_whole_whatever_lies_behind_its_end(name: str, behind: bytes) -> None:
    assert (images.decode(WHOLE[name] + behind) == images.decode(WHOLE[name])).all()


@pytest.mark.parametrize("behind", [b"", b"\0" * 5_000])
@pytest.mark.parametrize("share", [0.5, 0.75, 0.95])
@pytest.mark.parametrize("name", WHOLE)
def test_a_picture_that_is_cut_short_is_refused_whatever_lies_behind(name: str, share: float, behind: bytes) -> None:
    """OpenCV fills what is missing of a JPEG with grey, and says nothing; a thumbnail has an end mark of its own."""
    cut = WHOLE[name][: int(len(WHOLE[name]) * share)]
    with pytest.raises(images.UnreadableImage, match=r"truncated: no end marker|incomplete image"):
        images.decode(cut + behind)


def test_an_avif_is_decoded_and_one_that_moves_is_not() -> None:
    done = images.decode(saved("AVIF"))
    assert (done.shape, done.dtype) == ((64, 64, 3), np.uint8)
    assert np.abs(done.astype(int) - np.dstack([picture(i, 64) for i in range(3)])).mean() < 12
    with pytest.raises(images.UnreadableImage, match="animated"):
        images.decode(saved("AVIF", frames=3))
    with pytest.raises(images.UnreadableImage, match="incomplete image"):
        images.decode(saved("AVIF")[:-400])


def box(major: bytes, *compatible: bytes) -> bytes:
    brands = major + b"\0\0\0\0" + b"".join(compatible)
    return (len(brands) + 8).to_bytes(4, "big") + b"ftyp" + brands + b"\0" * 400


def raw(**tags: int) -> bytes:
    """Return a TIFF whose one page is a preview, as a camera's raw file has it."""
    found = ImageFileDirectory_v2()
    for tag, value in tags.items():
        found[int(tag[1:])] = value
    return saved("TIFF", tiffinfo=found)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (box(b"heic", b"mif1", b"heic"), "HEIC"),
        (box(b"mif1", b"heic"), "HEIC"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 60, "JPEG XL"),
        (b"\xff\x0a" + b"\0" * 60, "JPEG XL"),
        (raw(t50706=1), "raw photograph"),
        (raw(t254=1), "raw photograph"),
    ],
)
def test_a_format_that_is_not_read_is_called_by_its_name(data: bytes, what: str) -> None:
    """A raw file's first page is a small preview, which the decoder would give for the photograph."""
    with pytest.raises(images.UnsupportedImage, match=what) as caught:
        images.decode(data)
    assert "convert it to JPEG or PNG" in str(caught.value)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF", "JPEG2000"])
def test_the_first_bytes_of_a_picture_alone_are_refused_and_never_an_error_of_ours(form: str) -> None:
    data = saved(form)
    for length in (*range(64), len(data) // 2):
        with pytest.raises(images.UnreadableImage):
            images.decode(data[:length])
    for length in (12, 16, 20, 21):
        with pytest.raises(images.UnreadableImage):
            images.decode((b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 9)[:length])


@pytest.mark.parametrize("suffix", [".avif", ".heic", ".heif", ".jxl", ".dng", ".AVIF"])
def test_a_picture_is_told_by_its_ending_even_where_it_cannot_be_read(suffix: str) -> None:
    assert is_image(f"a{suffix}")
    assert not is_image(f"._a{suffix}")
