"""Generated faces in folders of emotions, in the spellings that such packs have."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

CLASSES = ("Angry", "disgusted", "FEAR", "Happiness", "neutral", "sad", "Surprised")


def folders(root: Path, splits: bool = True) -> Expected:
    """An outer folder, splits or none, one folder per emotion."""
    found = Expected()
    for s, (folder, split) in enumerate((("Train", "train"), ("validation", "val")) if splits else (("", None),)):
        for c, name in enumerate(CLASSES):
            inner = root / "fer stable diffusion" / folder / name
            for n in range(2):
                save(inner / f"{name} face ({n}){'.PNG' if n else '.png'}", face(100 * s + 10 * c + n, 64, colour=True))
                found.counts[split, name] += 1
            litter(inner)
    return found


LAYOUTS = {"folders": folders}
