"""Videos that OpenCV wrote, read again: every n-th frame, its time, and a video that ends before it says."""

from collections import deque

import cv2
import numpy as np
import pytest

from ferdata.images import UnreadableImage
from zoo.deploy.video import Reader, is_video


def write(path, frames=23, rate=10.0, kind="MJPG"):
    """Write a video whose frame i is grey of level 10 i."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*kind), rate, (64, 48))
    assert writer.isOpened()
    for i in range(frames):
        writer.write(np.full((48, 64, 3), 10 * i % 250, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("name", "kind"), [("f.avi", "MJPG"), ("f.mp4", "mp4v")])
@pytest.mark.parametrize("step", [1, 5, 7])
def test_every_nth_frame_comes_with_its_number_and_its_time(tmp_path, name, kind, step):
    found = list(Reader(write(tmp_path / name, kind=kind)).every(step))
    assert [frame.index for frame in found] == list(range(0, 23, step))
    for frame in found:
        assert frame.pixels.shape == (48, 64, 3)
        assert frame.pixels.mean() == pytest.approx(10 * frame.index, abs=4)
        assert frame.seconds == frame.index / 10  # 1.2, not 1.2000000000000002


def test_colours_are_in_the_order_of_pictures(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "f.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), (0, 0, 250), np.uint8))  # red, as OpenCV has it
    writer.release()
    red, green, blue = next(Reader(tmp_path / "f.avi").every(1)).pixels.mean((0, 1))
    assert red > 200 > 60 > max(green, blue)


def test_a_video_that_was_cut_short_gives_what_it_has_and_says_so(tmp_path):
    whole = write(tmp_path / "f.avi", 60)
    data = whole.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    frames, seen = Reader(tmp_path / "cut.avi").every(2), []
    with pytest.raises(UnreadableImage, match=r"ends at frame \d+ of 60"):
        deque(map(seen.append, frames))
    assert 5 < len(seen) < 30


def test_what_is_no_video_is_said(tmp_path):
    (tmp_path / "f.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(UnreadableImage, match="not a readable video"):
        Reader(tmp_path / "f.mp4")
    with pytest.raises(FileNotFoundError):
        Reader(tmp_path / "gone.mp4")


def test_videos_are_told_by_their_names(tmp_path):
    assert is_video(tmp_path / "A.MP4")
    assert not is_video(tmp_path / "a.png")
    assert not is_video(tmp_path / "._a.mp4")
