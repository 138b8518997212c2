"""The Kaggle re-split of FER2013: class folders of numbered images, nested as some unpackers leave them."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def images(root: Path, nested: bool = True) -> Expected:
    """images/images/{train,validation}/<class>/<n>.jpg, one number in both splits, and a copy with another name."""
    found = Expected(skipped=1)
    base = root / "images" / "images" if nested else root / "images"
    for s, (folder, split) in enumerate((("train", "train"), ("validation", "val"))):
        for c, name in enumerate(CLASSES):
            for n in range(3 - s):
                suffix = ".JPG" if (c, n) == (2, 0) else ".jpg"
                save(base / folder / name / f"{100 * c + n}{suffix}", face(1000 * s + 100 * c + n))
                found.counts[split, name] += 1
            litter(base / folder / name)
    save(base / "train" / "sad" / "500 (1).jpg", face(7777))
    return found


LAYOUTS = {"images": images}
