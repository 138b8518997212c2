"""What a file is by its first bytes: with files that the libraries write."""

import gzip
import io
import tarfile
import zipfile

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata.running.file_kind import kind_of


def _zip(*members: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in members:
            archive.writestr(name, "x")
    return held.getvalue()


def _tar() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return held.getvalue()


def _parquet() -> bytes:
    held = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), held)
    return held.getvalue()


def _png() -> bytes:
    return bytes(cv2.imencode(".png", np.zeros((2, 2), np.uint8))[1])


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (_zip("a"), "a zip archive or an Excel workbook"),
        (_zip(), "an empty zip archive"),
        (_tar(), "a tar archive"),
        (gzip.compress(b"a"), "a gzip archive"),
        (_parquet(), "a Parquet file"),
        (_png(), "a PNG picture"),
        ("\ufeff\n<!DOCTYPE html><title>".encode(), "a web page (HTML)"),
        (b"path,label\na.png,happy\n", None),
    ],
)
def test_a_file_is_called_what_its_first_bytes_say(data: bytes, what: str | None) -> None:
    assert kind_of(data) == what
