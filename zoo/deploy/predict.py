"""Labels for pictures, folders and videos: one prediction a face, and one for each picture that shows none."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ferdata.errors import AlreadyExists, BadOption
from ferdata.images import UnreadableImage, decode
from ferdata.images.alignment import NO_FACE
from ferdata.images.detectors import Box
from ferdata.manifest import KEY, check_output
from ferdata.manifest.safe_paths import must_be_file
from ferdata.running import progress
from ferdata.running.machine import cores
from ferdata.running.spreadsheet import as_cells
from ferdata.running.whole_file import whole_file
from zoo.deploy import preprocess, video
from zoo.deploy.files import find
from zoo.deploy.preprocess import Cut, Cutter
from zoo.deploy.tracks import Tracker
from zoo.evaluation.inference import check_tta, score
from zoo.models.load import load_model
from zoo.run import model_file
from zoo.run.device import resolve
from zoo.run.run_folder import Folder

EVERY = 5  # of a video's frames, the one that is looked at: five a second of most
CHUNK = 256  # pictures whose faces are held at once
LARGE = 4  # times the net's own size: a picture that is hardly a crop
TABLES = (".parquet", ".csv")


@dataclass(frozen=True)
class Prediction:
    """What the model says of one face; of a picture without one, or that could not be read, one too, with no label.

    `probabilities` go from class to 0..1, in the model's class order, and sum to 1. `box` is x, y, width, height in the
    picture's pixels and `score` the detector's, None where the whole picture was taken for a face; `size` the
    picture's width and height. `frame` (from 0) and `seconds` are of videos; so is `track`, where faces were
    followed: the face's number in its video, from 1. `error` says why there is no label: NO_FACE (`no_face`), or why it
    could not be read.
    """

    path: Path
    label: str | None
    probabilities: dict[str, float]
    error: str | None = None
    box: Box | None = None
    score: float | None = None
    size: tuple[int, int] | None = None
    frame: int | None = None
    seconds: float | None = None
    track: int | None = None

    @property
    def runner_up(self) -> str | None:
        """The second most probable class."""
        ranked = sorted(self.probabilities, key=self.probabilities.__getitem__, reverse=True)
        return ranked[1] if len(ranked) > 1 else None


class Predictor:
    """A run that is ready to look at pictures: its net, what it was fed with, and who looks for faces."""

    def __init__(
        self,
        run: str | Path,
        device: str = "auto",
        tta: str | None = None,
        detect: str | None = None,
        model: str | Path | None = None,
        margin: float | None = None,
        scenes: bool = False,
    ) -> None:
        """Load a run; the options are `predict`'s. With `scenes` a detector looks in any case but `detect` none."""
        folder = Folder(Path(run))
        folder.must_exist()
        if tta is not None:
            check_tta(tta)
        self.meta = model_file.read_meta(folder.model)
        find = preprocess.or_any(self.meta, detect) if scenes else detect
        self.cut = Cutter(self.meta, find, model, margin)
        self.tta = self.meta.tta if tta is None else tta
        where, _ = resolve(device, "32-true")
        self.net = load_model(folder.model, device=where)[0]

    def watching(self, detect: str | None, model: str | Path | None, margin: float | None) -> "Predictor":
        """Return the same for scenes: a detector looks in any case but `detect` none."""
        other = copy(self)
        other.cut = Cutter(self.meta, preprocess.or_any(self.meta, detect), model, margin)
        return other

    def label(self, cuts: Sequence[Cut]) -> list[dict[str, float]]:
        """Return the probabilities of each face, by class, under the run's temperature."""
        if not cuts:
            return []
        meta = self.meta
        stack = np.stack([cut.pixels for cut in cuts])
        p = score(self.net, stack, meta.mean, meta.std, self.tta, meta.temperature)
        return [dict(zip(meta.classes, row, strict=True)) for row in p.tolist()]

    def __call__(self, looked: Iterable["Looked"]) -> list[Prediction]:
        """Return the predictions for the faces of some pictures, in order."""
        whole = list(looked)
        answers = iter(self.label([cut for one in whole for cut in one.cuts]))
        done: list[Prediction] = []
        for one in whole:
            done += [_labelled(one.about, cut, next(answers)) for cut in one.cuts] or [one.about]
        return done

    def look(self, image: NDArray[np.integer], about: Prediction) -> "Looked":
        """Cut the faces out of a decoded image; `about` is what is known of it."""
        cuts = self.cut(image)
        sized = replace(about, size=(image.shape[1], image.shape[0]), error=None if cuts else NO_FACE)
        return Looked(sized, cuts)


@dataclass(frozen=True)
class Looked:
    """A picture that was looked at: what is known of it, and its faces."""

    about: Prediction
    cuts: Sequence[Cut] = ()


def predict(
    run: str | Path,
    paths: Sequence[str | Path],
    device: str = "auto",
    tta: str | None = None,
    detect: str | None = None,
    model: str | Path | None = None,
    margin: float | None = None,
    every: int | None = None,
    track: bool = False,
    out: str | Path | None = None,
    force: bool = False,
) -> list[Prediction]:
    """Predict for each face in `paths`, pictures, videos, or folders of them, in order; folders in order of name.

    Faces are found and cut as the run's training set was by `ferdata align`. A run trained on crops as published takes
    a picture for a face, unless `detect` is haar or yunet, which cut the box with `margin` (a share of it, on every
    side); in videos a detector always looks, since a frame is no crop (`looks_in_videos`). `detect` none takes
    everything for faces. `model` is YuNet's file. Of videos, every `every`-th frame (None: EVERY); with `track` their
    faces are followed (`zoo.deploy.tracks`), and each prediction has its face's number. `tta` as in evaluate. `out` is
    a table to write (.parquet or .csv), over an earlier one with `force`. Raises BrokenRun, MissingModel, CannotWrite,
    AlreadyExists, and BadOption if there is no picture at all, or, with `track` or `every`, no video.
    """
    if every is not None and every < 1:
        raise BadOption(f"--every is {every}.", "Give a number of frames, 1 for all of them.")
    if out is not None:
        _check_table(Path(out), force)
    files = find(paths)
    videos = {path for path in files if video.is_video(path)}
    _check_for_videos(bool(videos), every, track, detect)
    predictor = Predictor(run, device, tta, detect, model, margin, scenes=len(videos) == len(files))
    done = list(_pictures(predictor, [path for path in files if path not in videos]))
    watcher = predictor.watching(detect, model, margin) if videos else predictor
    for path in sorted(videos):
        done += _video(watcher, path, every or EVERY, track)
    order = {path: i for i, path in enumerate(files)}
    done.sort(key=lambda p: order[p.path])
    if out is not None:
        save(Path(out), done, predictor.meta.classes)
    return done


def _check_for_videos(there_are: bool, every: int | None, track: bool, detect: str | None) -> None:
    """Raise BadOption for an option of videos that does nothing here."""
    if every is not None and not there_are:
        raise BadOption("--every chooses frames of videos, and no video is named.", "Leave it out, or name a video.")
    if track and not there_are:
        raise BadOption("--track follows faces through videos, and no video is named.", "Leave it out, or name one.")
    if track and detect == "none":
        raise BadOption("--track follows found faces, and --detect none finds none.", "Leave out one of the two.")


def _text(path: Path) -> str:
    """Return a path as a table holds it; bytes of a name that are no UTF-8 are spelt out."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _pictures(predictor: Predictor, files: Sequence[Path]) -> Iterator[Prediction]:
    """Yield the predictions for picture files: read and looked at by several threads, labelled together."""

    def look(path: Path) -> Looked:
        about = Prediction(path, None, {})
        try:
            must_be_file(path)
            return predictor.look(decode(path.read_bytes()), about)
        except UnreadableImage as error:
            return Looked(replace(about, error=str(error)))
        except OSError as error:
            return Looked(replace(about, error=error.strerror or str(error)))

    with ThreadPoolExecutor(cores()) as pool, progress.bar("Predicting", len(files), "images") as advance:
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            yield from predictor(pool.map(look, chunk))
            advance(len(chunk))


def _video(predictor: Predictor, path: Path, every: int, track: bool) -> Iterator[Prediction]:
    """Yield the predictions for every `every`-th frame of a video, and, where it ends too early, that it does."""
    about = Prediction(path, None, {})
    pending: list[Looked] = []
    error = None
    try:
        reader = video.Reader(path)
        follow = Tracker() if track else None
        with progress.bar(f"Watching {path.name}", (reader.frames + every - 1) // every or None, "frames") as advance:
            for frame in reader.every(every):
                seen = predictor.look(frame.pixels, replace(about, frame=frame.index, seconds=frame.seconds))
                pending.append(seen if follow is None else followed(seen, follow, frame.seconds))
                advance(1)
                if len(pending) == CHUNK:
                    yield from predictor(pending)
                    pending = []
    except UnreadableImage as wrong:
        error = str(wrong)
    except OSError as wrong:
        error = wrong.strerror or str(wrong)
    yield from predictor(pending)
    if error is not None:
        yield replace(about, error=error)


def followed(seen: Looked, follow: Tracker, seconds: float) -> Looked:
    """Return a frame, taken at `seconds`, whose faces, which a detector found, have their numbers."""
    numbers = follow([cut.box for cut in seen.cuts if cut.box is not None], seconds)
    return replace(seen, cuts=[replace(cut, track=n) for cut, n in zip(seen.cuts, numbers, strict=True)])


def _labelled(about: Prediction, cut: Cut, p: dict[str, float]) -> Prediction:
    label = max(p, key=p.__getitem__)
    return replace(about, label=label, probabilities=p, box=cut.box, score=cut.score, track=cut.track)


def tally(predictions: Sequence[Prediction], size: int = 0) -> dict[str, Any]:
    """Count what was found: `pictures` (frames of videos among them), `faces`, `tracks`, `no_face`, `unread`, `labels`.

    `videos` and `frames` are those among them; `frames_no_face` of these show none. `large` are the pictures, taken
    whole for a face, that are LARGE times a net's `size`.
    """
    seen = {(p.path, p.frame) for p in predictions if p.size is not None}
    frames = {(path, frame) for path, frame in seen if frame is not None}
    whole = [p for p in predictions if p.label is not None and p.box is None and p.size is not None]
    return {
        "pictures": len(seen),
        "videos": len({path for path, _ in frames}),
        "frames": len(frames),
        "faces": sum(p.label is not None for p in predictions),
        "tracks": len({(p.path, p.track) for p in predictions if p.track is not None}),
        "no_face": sum(p.error == NO_FACE for p in predictions),
        "frames_no_face": sum(p.error == NO_FACE and p.frame is not None for p in predictions),
        "unread": sum(p.error not in (None, NO_FACE) for p in predictions),
        "large": sum(min(p.size or (0, 0)) >= LARGE * size for p in whole) if size else 0,
        "labels": dict(Counter(p.label for p in predictions if p.label is not None).most_common()),
    }


def _check_table(path: Path, force: bool) -> None:
    if path.suffix.lower() not in TABLES:
        raise BadOption(f"--out cannot be {path}.", "Name a .parquet or a .csv file.")
    check_output(path, force)
    if _is_ours(path):
        raise AlreadyExists(
            f"{path} is a manifest, or a run's own predictions, and is not replaced even with --force.",
            "Choose another --out.",
        )


def _is_ours(path: Path) -> bool:
    """Say whether the file is a manifest or a run's predictions, by the metadata that both carry."""
    try:
        must_be_file(path)
        return KEY in (pq.read_metadata(path).metadata or {})
    except (OSError, pa.ArrowException):  # not there, or no Parquet
        return False


def save(path: Path, predictions: Sequence[Prediction], classes: Sequence[str]) -> None:
    """Write a row per prediction, .parquet or .csv, whole or not at all; `p_<class>` is a class's probability.

    Raises CannotWrite.
    """
    from pyarrow import csv, parquet

    boxes = [p.box or (None,) * 4 for p in predictions]
    sizes = [p.size or (None,) * 2 for p in predictions]
    number, whole = pa.float64(), pa.int64()
    table = pa.table(
        {
            "path": pa.array([_text(p.path) for p in predictions], pa.string()),
            "frame": pa.array([p.frame for p in predictions], whole),
            "seconds": pa.array([p.seconds for p in predictions], number),
            "track": pa.array([p.track for p in predictions], whole),
            "label": pa.array([p.label for p in predictions], pa.string()),
            "error": pa.array([p.error for p in predictions], pa.string()),
            **{name: pa.array([size[i] for size in sizes], whole) for i, name in enumerate(("width", "height"))},
            **{f"box_{name}": pa.array([box[i] for box in boxes], number) for i, name in enumerate("xywh")},
            "score": pa.array([p.score for p in predictions], number),
            **{f"p_{c}": pa.array([p.probabilities.get(c) for p in predictions], pa.float32()) for c in classes},
        }
    )
    with whole_file(path) as temporary:
        if path.suffix.lower() == ".csv":
            for name in ("path", "label", "error"):
                table = table.set_column(table.column_names.index(name), name, as_cells(table[name]))
            csv.write_csv(table, temporary)
        else:
            parquet.write_table(table, temporary, compression="zstd")
