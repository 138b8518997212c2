"""Class folders in everyday spellings, under splits or not."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save


def folders(root: Path) -> Expected:
    """train and Valid above class folders, a level more in one, names as people give them."""
    found = Expected()
    names = ("a b.png", "ü ☺.JPG", "100%#1.jpeg", "'quoted'.png", "a..b.png", "x" * 120 + ".png")
    for split, folder in (("train", "train"), ("val", "Valid")):
        for i, label in enumerate(("Happy", "SAD", "anger")):
            for j, name in enumerate(names):
                inner = root / "pack" / folder / label / ("camera 1" if i == 2 else "")
                save(inner / name, face(100 * i + j + 50 * (split == "val"), 24))
                found.counts[split, label] += 1
            litter(inner)
    return found


LAYOUTS = {"folders": folders}
