"""Labels for pictures: files or folders in, one prediction each out, what cannot be read named and not dropped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ferdata import progress
from ferdata.errors import BadOption
from ferdata.images import UnreadableImage, decode
from ferdata.pack import prepare
from ferdata.paths import must_be_file
from ferdata.schema import IMAGE_SUFFIXES, is_image
from zoo import checkpoint
from zoo.device import resolve
from zoo.folder import Folder
from zoo.score import score as predict_all  # the name that callers know it by here

CHUNK = 1024  # pictures held at once


@dataclass(frozen=True)
class Prediction:
    """What the model says of one picture; `label` is None and `error` says why where it could not be read.

    `probabilities` go from class to 0..1, in the model's class order, and sum to 1.
    """

    path: Path
    label: str | None
    probabilities: dict[str, float]
    error: str | None = None

    @property
    def runner_up(self) -> str | None:
        """The second most probable class."""
        ranked = sorted(self.probabilities, key=self.probabilities.__getitem__, reverse=True)
        return ranked[1] if len(ranked) > 1 else None


def predict(
    run: str | Path, paths: Sequence[str | Path], device: str = "auto", tta: bool | None = None
) -> list[Prediction]:
    """Predict for each picture in `paths`, in order; folders are searched through, in order of name.

    Pictures are taken for faces already: no face is looked for. `tta` as in evaluate. Raises BrokenRun, and BadOption
    if there is no picture at all.
    """
    folder = Folder(Path(run))
    folder.must_exist()
    device, _ = resolve(device, "32-true")
    files = find(paths)
    net, meta = checkpoint.load(folder.model)
    net.to(device)
    done: list[Prediction] = []
    with progress.bar("Predicting", len(files), "images") as advance:
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            read = [_read(path, meta.size, meta.channels) for path in chunk]
            pixels = [r for r in read if isinstance(r, np.ndarray)]
            rows: Iterator[NDArray[np.float32]] = iter(())
            if pixels:
                stack = torch.from_numpy(np.stack(pixels))
                rows = iter(predict_all(net, stack, meta.mean, meta.std, meta.tta if tta is None else tta))
            for path, outcome in zip(chunk, read, strict=True):
                if isinstance(outcome, str):
                    done.append(Prediction(path, None, {}, outcome))
                    continue
                p = dict(zip(meta.classes, next(rows).tolist(), strict=True))
                done.append(Prediction(path, max(p, key=p.__getitem__), p))
            advance(len(chunk))
    return done


def find(paths: Sequence[str | Path]) -> list[Path]:
    """Return the named files, and for a folder every picture below it, by suffix. Raises BadOption if that is none."""
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += sorted(p for p in path.rglob("*") if is_image(p.name) and p.is_file())
        else:
            files.append(path)
    if not files:
        raise BadOption(
            f"There is no picture in {', '.join(map(str, paths)) or 'an empty list'}.",
            f"Name pictures, or folders with pictures in them ({', '.join(sorted(IMAGE_SUFFIXES))}).",
        )
    return files


def _read(path: Path, size: int, channels: int) -> NDArray[np.uint8] | str:
    """Return uint8 (size, size, channels), or the reason why not."""
    try:
        must_be_file(path)
        return prepare(decode(path.read_bytes()), size, channels)
    except UnreadableImage as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
