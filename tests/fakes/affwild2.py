"""Aff-Wild2: annotation files of three tasks under the releases' odd names, crops, lists for all tasks, videos."""

from collections.abc import Iterable
from pathlib import Path

import cv2

from tests.fakes import Expected, face, litter, save

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
UNITS = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"
# video -> split, and the codes of its frames
VIDEOS = {
    "10-60-1280x720": ("train", (0, 0, 4, 4, 7, -1, 6)),
    "video45": ("train", (1, 1, 2, -1)),
    "video45_left": ("train", (5, 5, 5)),
    "video45_right": ("train", (3, 3)),
    "333": ("val", (0, 4, 6, 7, 7)),
}
UNSEEN = {("10-60-1280x720", 4), ("10-60-1280x720", 6), ("333", 1)}  # frames in which no face was found
FOLDERS = {"train": "Train_Set", "val": "Validation_Set"}


def affect(i: int) -> str:
    return "-5,-5" if i % 5 == 4 else f"{0.1 * (i % 7) - 0.3:.3f},{0.05 * (i % 9):.3f}"


def units(i: int, separator: str = ",") -> str:
    return separator.join("-1" if i % 6 == 5 else str(int((i + k) % 4 == 0)) for k in range(12))


def annotations(root: Path) -> None:
    """Write the three tasks' files: CRLF here and there, blanks, a header with its own case."""
    for v, (video, (split, codes)) in enumerate(VIDEOS.items()):
        for task, header, lines in (
            ("EXPR_Classification_Challenge", HEADER, [str(code) for code in codes]),
            ("VA_Estimation_Challenge", "valence,arousal", [affect(v + i) for i in range(len(codes))]),
            ("AU_Detection_Challenge", UNITS, [units(v + i) for i in range(len(codes))]),
        ):
            if task.startswith("VA") and v == 1:
                continue  # not every video is annotated for every task
            folder = root / task / FOLDERS[split]
            folder.mkdir(parents=True, exist_ok=True)
            end = "\r\n" if v % 2 else "\n"
            (folder / f"{video}.txt").write_bytes((end.join([header, *lines]) + end).encode())
            litter(folder)


def crops(root: Path, videos: Iterable[str]) -> None:
    for v, video in enumerate(VIDEOS):
        if video not in videos:
            continue
        for i in range(len(VIDEOS[video][1])):
            if (video, i + 1) not in UNSEEN:
                save(root / video / f"{i + 1:05d}.{'JPG' if i == 2 else 'jpg'}", face(100 * v + i, 32, colour=True))
        litter(root / video)
    litter(root)


def frames(root: Path) -> Expected:
    """The third challenge's tree: two folders of crops, a test video, one frame too many, one folder missing."""
    base = root / "Aff-Wild2"
    annotations(base / "Third ABAW Annotations")
    crops(base / "cropped_aligned", [v for v in VIDEOS if v not in ("333", "video45_right")])
    crops(base / "cropped_aligned_new_50_vids", ["333"])
    save(base / "cropped_aligned" / "video45" / "00005.jpg", face(901, 32))
    save(base / "cropped_aligned" / "test-video" / "00001.jpg", face(902, 32))
    # Two of the unseen frames are labelled, and the third has valence and arousal; then a frame too many, a test
    # video, and a video whose crops are not there.
    found = Expected(subjects=4, sequences=3, skipped=len(UNSEEN) + 1 + 1 + 1)
    for video, (split, codes) in VIDEOS.items():
        for i, code in enumerate(codes):
            if (video, i + 1) not in UNSEEN and video != "video45_right":
                found.counts[split, str(code)] += 1
    return found


def lists(root: Path) -> Expected:
    """The lists for all tasks, in a folder of their own; crops nested as their archive unpacks."""
    crops(root / "cropped_aligned" / "cropped_aligned", VIDEOS)
    folder = root / "5th_ABAW_Annotations" / "MTL_Challenge"
    folder.mkdir(parents=True)
    found = Expected(subjects=5, sequences=3)
    for name, split in (("training_set_annotations.txt", "train"), ("validation_set_annotations.txt", "val")):
        lines = ["image,valence,arousal,expression,aus"]
        for v, (video, (part, codes)) in enumerate(VIDEOS.items()):
            for i, code in enumerate(codes):
                if part == split and (video, i + 1) not in UNSEEN:
                    suffix = "JPG" if i == 2 else "jpg"
                    lines.append(f"{video}/{i + 1:05d}.{suffix},{affect(v + i)},{code},{units(v + i)}")
                    found.counts[split, str(code)] += 1
        (folder / name).write_text("\n".join(lines) + "\n")
    return found


def film(path: Path, seeds: Iterable[int], side: int = 48) -> None:
    """Write a video of which every frame can be decoded alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 24, (side, side))
    assert writer.isOpened()
    for seed in seeds:
        writer.write(face(seed, side, colour=True))
    writer.release()


def videos(root: Path) -> Expected:
    """Videos without crops, in two places; a video of two people, and one that is not there."""
    annotations(root / "annotations" / "annotations")
    found = Expected(subjects=2, sequences=2, skipped=3)
    for v, video in enumerate(("10-60-1280x720", "video45")):
        split, codes = VIDEOS[video]
        inner = "batch1" if v else "batch1/batch1"
        film(root / inner / f"{video}.{'AVI' if v else 'avi'}", range(50 * v, 50 * v + len(codes)))
        found.counts.update((split, str(code)) for code in codes)
    litter(root / "batch1")
    return found


LAYOUTS = {"frames": frames, "lists": lists, "videos": videos}
