"""Aff-Wild2 (ABAW): frames of videos from the web, labelled one by one with expression, valence and arousal, AUs.

Line i of an annotation file, counted after its header, is frame i of the video, which is the file `%05d.jpg` among
its crops. What several tasks say of one frame is joined. Where no crops are there, the videos themselves are read.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ferdata.adapters.affwild2.annotations import (
    CODES,
    LISTS,
    TASKS,
    Annotations,
    annotation_files,
    frame_labels,
    frame_number,
    list_files,
    read_list,
    source_video,
)
from ferdata.errors import BrokenSource, DatasetMissing, NotAFile, NotThisDataset
from ferdata.sources import Frame, Layout, Licence, Option, Sample, Skipped, Source, is_image, relative
from ferdata.sources.left_out import NOTES, unlisted
from ferdata.sources.spelling import in_any_case

FACES = "crop*_aligned*"
VIDEOS = "[bv][ai][td][ce][ho]*"  # batch1, batch2, ..., video, videos
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv")
SPLITS = "Official train and validation; the test set has no labels. "
NOT_ANNOTATED = "a video that the task's files do not annotate"
UNSEEN = "labelled, but no face was cropped from the frame"

SOURCE = Source(
    name="affwild2",
    title="Aff-Wild2 (ABAW challenges)",
    homepage="https://sites.google.com/view/dimitrioskollias/databases/aff-wild2",
    licence=Licence(
        "Aff-Wild2 end user licence agreement",
        "For academic, non-commercial research under a signed agreement; it also lists what to cite.",
    ),
    citation="""@article{Kollias2018AffWild2,
  author  = {Kollias, Dimitrios and Zafeiriou, Stefanos},
  title   = {Aff-Wild2: Extending the Aff-Wild Database for Affect Recognition},
  journal = {arXiv preprint arXiv:1811.07770},
  year    = {2018}
}""",
    access="Academics with a permanent position; students and post-docs through their supervisor.",
    obtain=(
        "Print the agreement on the homepage; somebody with a permanent academic position has to sign it.",
        "Send it to Dimitrios Kollias (address on the homepage) from the institution's own e-mail address.",
        "Download the annotations and the cropped_aligned images; without the latter, the videos.",
        "Unpack them into one folder; keep the names of the releases' folders.",
    ),
    place="data/affwild2/{annotations,cropped_aligned}/",
    content="some 3 million frames of 594 videos; seven expressions and other, valence and arousal, action units",
    layouts=(
        Layout(
            "frames",
            ("*nnotation*", FACES),
            CODES,
            note=SPLITS + "The rows are the frames that --task labels.",
            splits=("train", "val"),
        ),
        Layout(
            "lists",
            ("*nnotation*", FACES),
            CODES,
            note=SPLITS + "The multi-task lists, with every frame and all of its labels.",
            splits=("train", "val"),
        ),
        Layout(
            "videos",
            ("*nnotation*", VIDEOS),
            CODES,
            note=SPLITS + "Whole frames of the videos. Where two people are annotated side by side (_left, _right), "
            "the annotations do not say who is where, so these frames are excluded: use the crops for them.",
            splits=("train", "val"),
        ),
    ),
    options=(
        Option(
            "task",
            "The task whose annotation files give the rows and the splits: expr, va or au; the annotations "
            "of the other two for the same frames are added. mtl: the lists for all tasks.",
            "expr",
            (*TASKS, "mtl"),
        ),
        Option(
            "every",
            "Read every n-th frame of each video: neighbouring frames differ little, and there are millions.",
            "1",
            ("1", "5", "10", "30"),
        ),
    ),
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout that fits the annotations there are. Raises NotThisDataset, DatasetMissing."""
    task = SOURCE.option(options, "task") or "expr"
    files, lists = annotation_files(base), list_files(base)
    if layout.name == "frames" and lists and (task == "mtl" or not any(files.values())):
        return next(other for other in SOURCE.layouts if other.name == "lists")
    if not lists and not any(files.values()):
        raise NotThisDataset(
            f"{base} holds no annotations of Aff-Wild2.",
            "Looked for folders Train_Set and Validation_Set below EXPR..., VA_... or AU_..., "
            f"and for {', '.join(LISTS)}.",
        )
    if not files.get(task):
        there = [
            t for t, found in (*files.items(), ("mtl", lists)) if found and (t != "mtl" or layout.name == "frames")
        ]
        raise DatasetMissing(
            f"{base} holds no annotation files of the task {task}.",
            f"Unpack them, or choose an available task: --task {' or '.join(there) or 'none'}.",
        )
    return layout


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    every = int(SOURCE.option(options, "every") or 1)
    task = SOURCE.option(options, "task") or "expr"
    if layout.name == "lists":
        yield from _from_lists(base, every)
        return
    files = annotation_files(base)
    read = _from_crops if layout.name == "frames" else _from_videos
    yield from read(base, {t: files[t] for t in (task, *(t for t in files if t != task))}, every)


def _crops(base: Path) -> dict[str, Path]:
    """Return the folder of crops of every video, by its name."""
    folders: dict[str, Path] = {}
    faces = in_any_case(FACES)
    for root in sorted(p for p in base.glob(faces) if p.is_dir()):
        for pattern in ("[!._]*", f"{faces}/[!._]*"):  # an archive may unpack into a second folder of its own name
            for folder in sorted(p for p in root.glob(pattern) if p.is_dir()):
                folders.setdefault(folder.name, folder)
    return folders


def _from_crops(base: Path, files: Annotations, every: int) -> Iterator[Sample | Skipped]:
    crops = _crops(base)
    chosen = next(iter(files.values()))
    for video, file in sorted(chosen.items()):
        folder = crops.pop(video, None)
        if folder is None:
            yield Skipped(video, "annotated, but its folder of crops is not there")
            continue
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if is_image(e.name)]
        images = {number: name for name in names if (number := frame_number(name))}
        place = relative(folder, base)
        try:
            labels = frame_labels(files, video)
        except (BrokenSource, NotAFile) as error:  # of one video alone
            yield Skipped(video, NOTES, error.message)
            continue
        for number in range(1, len(labels) + 1, every):
            of = labels[number - 1]
            if number in images:
                yield of.sample(video, number, f"{place}/{images[number]}", file.split)
            elif of.any:
                yield Skipped(f"{video}/{number:05d}", UNSEEN)
        for number in sorted(n for n in images if not 1 <= n <= len(labels) and (n - 1) % every == 0):
            yield Skipped(f"{video}/{number:05d}", "a frame without a line of its annotation file")
    for video in sorted(crops):
        if not video.lower().startswith("crop"):
            yield Skipped(video, NOT_ANNOTATED)


def _from_videos(base: Path, files: Annotations, every: int) -> Iterator[Sample | Skipped]:
    """Yield frames of the videos, as many as are annotated; those that a cut file lacks are rejected one by one."""
    videos: dict[str, Path] = {}
    for root in sorted(p for p in base.glob(in_any_case(VIDEOS)) if p.is_dir()):
        for path in sorted((*root.glob("[!.]*"), *root.glob("*/[!.]*"))):
            if path.suffix.lower() in VIDEO_SUFFIXES:
                videos.setdefault(path.stem, path)
    chosen = next(iter(files.values()))
    for video, file in sorted(chosen.items()):
        if source_video(video) != video:
            yield Skipped(video, "one of two people in the picture, and no crops tell them apart")
        elif video not in videos:
            yield Skipped(video, "annotated, but its video is not there")
        else:
            place = relative(videos[video], base)
            try:
                labels = frame_labels(files, video)
            except (BrokenSource, NotAFile) as error:
                yield Skipped(video, NOTES, error.message)
                continue
            for number in range(1, len(labels) + 1, every):
                yield labels[number - 1].sample(video, number, Frame(place, number - 1), file.split)
    for video in sorted(videos.keys() - {source_video(each) for each in chosen}):
        yield Skipped(relative(videos[video], base), NOT_ANNOTATED)


def _from_lists(base: Path, every: int) -> Iterator[Sample | Skipped]:
    """Yield the frames of the lists for all tasks, then the crops that they do not name."""
    crops = _crops(base)
    listed: set[str] = set()
    for path in list_files(base):
        for video, number, file, labels in read_list(path):
            folder = relative(crops[video], base) if video in crops else f"cropped_aligned/{video}"
            listed.add(f"{folder}/{file}")
            if (number - 1) % every == 0:
                yield labels.sample(video, number, f"{folder}/{file}", LISTS[path.name])
    named = {PurePosixPath(path).parent.name for path in listed}
    for video in sorted(crops.keys() - named):
        if not video.lower().startswith("crop"):
            yield Skipped(video, NOT_ANNOTATED)
    yield from unlisted(base, listed)
