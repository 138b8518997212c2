"""Drawn faces laid out as RAF-DB is on Kaggle: aligned, in folders by split and class."""

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from ferdata.drawing.face import Drawn, quota, save, somebody
from ferdata.running.progress import Advance

# How many images of each emotion are published.
RAFDB_SHARES = {
    "surprise": 1619, "fear": 355, "disgust": 877, "happiness": 5957, "sadness": 2460, "anger": 867,
    "neutral": 3204,
}  # fmt: skip
RAFDB_CODES = {"surprise": 1, "fear": 2, "disgust": 3, "happiness": 4, "sadness": 5, "anger": 6, "neutral": 7}


def draw_rafdb(root: Path, faces: int, seed: int, advance: Advance | None = None) -> Drawn:
    """Write `faces` aligned faces in the form of RAF-DB that Kaggle has; return images by split and class."""
    rng = np.random.default_rng((seed, 12))
    test = faces // 5
    drawn: Drawn = {}
    for split, total, digits in (("train", faces - test, 5), ("test", test, 4)):
        codes = [RAFDB_CODES[e] for e in quota(total, RAFDB_SHARES, rng)]
        names = {code: emotion for emotion, code in RAFDB_CODES.items()}
        with (_made(root / "DATASET") / f"{split}_labels.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(["image", "label"])
            for number, code in enumerate(codes, 1):
                name = f"{split}_{number:0{digits}d}_aligned.jpg"
                face = somebody(names[code], float(rng.uniform(0.6, 1.0)), rng)
                # Aligned on eyes and mouth: level and in the middle, close to the camera.
                level = replace(face.seen, roll=face.seen.roll / 5, scale=0.53, shift=(0.0, 0.0))
                picture = replace(face, seen=level).picture(100, 100)
                save(_made(root / "DATASET" / split / str(code)) / name, picture)
                writer.writerow([name, code])
                if advance:
                    advance()
        drawn[split] = {str(code): n for code, n in sorted(Counter(codes).items())}
    return drawn


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
