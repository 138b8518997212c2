"""The files that are measured on: found, or laid out as their publishers do from one copy of the pixels.

A folder of real data (`--data`) holds `fer2013/`: FER2013's faces tiled on lossless sheets (`sheet-NN.webp`, 40 x 40
faces of 48 pixels each), `rows.csv` (`row,usage,image_name,emotion,...`) in their order, FER+'s `fer2013new.csv` and
`label-FER2013Train|Valid|Test.csv`; `photos.zip`; and `models/face_detection_yunet.onnx`. Whoever has FER+ and
fer2013.csv as published names those instead.
"""

import csv
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speed.process import measure

TILES, SIDE = 40, 48
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
SOME = 3000  # faces that nets learn from


class Missing(Exception):
    """Data that are not there; the message says which, and how to name them."""


@dataclass
class Inputs:
    """What was given, and what has been made of it below `work`; `limit` faces, 0 for all."""

    data: Path
    work: Path
    env: dict[str, str]
    limit: int = 0
    given_ferplus: Path | None = None
    given_csv: Path | None = None
    given_photos: Path | None = None
    given_yunet: Path | None = None

    def ferplus(self, limit: int | None = None) -> Path:
        """Return a folder as FER+ lies on disk, of `limit` faces (None: as many as the run's own)."""
        limit = self.limit if limit is None else limit
        if self.given_ferplus and not limit:
            return self.given_ferplus
        out = self.work / f"ferplus-{limit}"
        if not out.exists():
            if self.given_ferplus:
                thin(self.given_ferplus, out, limit)
            else:
                measure(self.env, "inputs:lay_out", sheets=self._sheets("--ferplus FOLDER"), out=out, limit=limit)
        return out

    def csv(self) -> Path:
        """Return a folder with fer2013.csv in it."""
        if self.given_csv and not self.limit:
            return self.given_csv.parent if self.given_csv.is_file() else self.given_csv
        out = self.work / f"csv-{self.limit}"
        if not out.exists():
            sheets = self._sheets("--csv FILE")
            measure(self.env, "inputs:pixel_text", sheets=sheets, out=out, limit=self.limit)
        return out

    def manifest(self, limit: int | None = None) -> Path:
        """Return FER+'s manifest."""
        root = self.ferplus(limit)
        out = self.work / f"{root.name}.parquet"
        if not out.exists():
            measure(self.env, "ingest:by_ferdata", root=root, out=out, workers=None)
        return out

    def photos(self) -> Path:
        """Return the photographs, a folder or an archive."""
        return self._file(self.given_photos, "photos.zip", "--photos PATH")

    def yunet(self) -> Path:
        """Return YuNet's model file."""
        return self._file(self.given_yunet, "models/face_detection_yunet.onnx", "--yunet FILE")

    def _file(self, given: Path | None, name: str, option: str) -> Path:
        path = given or self.data / name
        if not path.exists():
            raise Missing(f"{path.name} is not in {path.parent.name}: give {option}, or --data FOLDER.")
        return path

    def _sheets(self, option: str) -> Path:
        folder = self.data / "fer2013"
        if not (folder / "rows.csv").is_file():
            raise Missing(f"fer2013/rows.csv is not in {self.data.name}: give {option}, or --data FOLDER.")
        return folder


def thin(whole: Path, out: Path, limit: int) -> None:
    """Make a copy of FER+'s folder with every k-th image."""
    (out / "data").mkdir(parents=True)
    shutil.copy(whole / "fer2013new.csv", out)
    found = [path for folder in FOLDERS.values() for path in sorted((whole / "data" / folder).glob("*.png"))]
    kept = found[:: max(1, len(found) // limit)]
    for folder in FOLDERS.values():
        (out / "data" / folder).mkdir()
    for path in kept:
        shutil.copy(path, out / "data" / path.parent.name)
    names = {path.name for path in kept}
    for folder in FOLDERS.values():
        labels = whole / "data" / folder / "label.csv"
        if labels.exists():
            _filtered(labels, out / "data" / folder / "label.csv", names)


def _filtered(labels: Path, out: Path, names: set[str]) -> None:
    lines = labels.read_text(encoding="utf-8").splitlines(keepends=True)
    out.write_text("".join(line for line in lines if line.split(",", 1)[0] in names), encoding="utf-8")


def faces(sheets: Path, limit: int) -> Any:
    """Yield (row of rows.csv, uint8 (48, 48)) of every face, or of every k-th so that about `limit` come."""
    import cv2

    with (sheets / "rows.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    at, sheet = -1, None
    for i in range(0, len(rows), max(1, len(rows) // limit) if limit else 1):
        if i // TILES**2 != at:
            at = i // TILES**2
            sheet = cv2.imread(str(sheets / f"sheet-{at:02}.webp"), cv2.IMREAD_GRAYSCALE)
        down, across = divmod(i % TILES**2, TILES)
        yield rows[i], sheet[down * SIDE : (down + 1) * SIDE, across * SIDE : (across + 1) * SIDE]


def lay_out(sheets: str, out: str, limit: int) -> dict[str, int]:
    """Write FER+ as its own script leaves it: fer2013new.csv, and a folder of PNGs and label.csv per split."""
    import cv2

    partial, source = Path(f"{out}.part"), Path(sheets)
    for folder in FOLDERS.values():
        (partial / "data" / folder).mkdir(parents=True, exist_ok=True)
    names = set()
    for row, face in faces(source, limit):
        cv2.imwrite(str(partial / "data" / FOLDERS[row["usage"]] / row["image_name"]), face)
        names.add(row["image_name"])
    for folder in FOLDERS.values():
        _filtered(source / f"label-{folder}.csv", partial / "data" / folder / "label.csv", names)
    shutil.copy(source / "fer2013new.csv", partial)
    partial.rename(out)
    return {"faces": len(names)}


def pixel_text(sheets: str, out: str, limit: int) -> dict[str, int]:
    """Write fer2013.csv: emotion, the pixels as text, Usage."""
    level = [str(i) for i in range(256)]
    partial, count = Path(f"{out}.part"), 0
    partial.mkdir(exist_ok=True)
    with (partial / "fer2013.csv").open("w", newline="", encoding="utf-8") as file:
        file.write("emotion,pixels,Usage\n")
        for row, face in faces(Path(sheets), limit):
            pixels = " ".join([level[v] for v in face.ravel().tolist()])
            file.write(f"{row['emotion']},{pixels},{row['usage']}\n")
            count += 1
    partial.rename(out)
    return {"faces": count}


def warm(folder: Path, ending: str = ".png") -> tuple[int, int]:
    """Read every file once, so that nobody waits for the disk; return how many end so, and all bytes."""
    count = total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            total += len(Path(at, name).read_bytes())
            count += name.endswith(ending)
    return count, total
