"""What is looked at: every file of a folder is a picture, a video, or counted by what it is called."""

import errno
import os

import cv2
import pytest

from ferdata.errors import BadOption
from ferdata.images import encode_png
from tests.zoo.conftest import shape
from zoo.deploy.files import find, passed_over
from zoo.deploy.predict import predict


def test_every_file_of_a_folder_is_predicted_on_or_counted_by_what_it_is_called(run, pictures, tmp_path, ferdata):
    face = shape("anger", 1, side=48)
    avif = cv2.imencode(".avif", face)[1].tobytes()
    (pictures / "phone.AVIF").write_bytes(avif)
    (pictures / "without").write_bytes(encode_png(face))
    (pictures / "README").write_text("about these pictures")
    for name in ("one.heic", "two.jxl", "three.dng", "notes.txt", "more.txt", "table.csv", ".hidden"):
        (pictures / name).write_bytes(b"whatever it is")
    (tmp_path / "elsewhere").mkdir()
    (pictures / "linked").symlink_to(tmp_path / "elsewhere")
    found = {p.path.name: p for p in predict(run, [pictures]) if p.path.parent == pictures}
    assert found["phone.AVIF"].label is not None
    assert found["without"].label == predict(run, [pictures / "without"])[0].label is not None
    assert [found[name].error is None for name in ("one.heic", "two.jxl", "three.dng")] == [False] * 3
    left = {".txt": 2, ".csv": 1, "hidden": 1, "without an ending": 1, "linked folder": 1}
    assert passed_over([pictures, pictures / "notes.txt"]) == left
    everything = [file for file in pictures.rglob("*") if file.is_symlink() or not file.is_dir()]
    assert len(everything) == len(predict(run, [pictures])) + sum(left.values())
    told = ferdata("predict", run, pictures)
    assert "Skipped, as no pictures: 2 .txt, 1 " in told.err


def test_a_folder_without_a_picture_is_refused_with_what_is_in_it(run, tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(BadOption, match=r"no picture in .*, only 1 \.pdf\."):
        predict(run, [tmp_path])


def test_a_file_that_is_named_twice_is_one(run, pictures):
    one = next(pictures.glob("*.png"))
    assert find([one, pictures, one]) == [one, *(p for p in sorted(pictures.rglob("*.png")) if p != one)]


def test_a_folder_that_may_not_be_read_is_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(path="."):
        if str(path) == str(tmp_path / "closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(BadOption, match=r"Cannot read the folder .*/closed"):
        find([tmp_path])
