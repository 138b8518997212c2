"""RaFD: one folder of pictures whose names say everything."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

MODELS = ("01_Caucasian_female", "07_Caucasian_male", "29_Moroccan_male", "41_Kid_female")
EXPRESSIONS = ("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
VIEWS = (("000", "left"), ("045", "frontal"), ("090", "frontal"), ("090", "right"), ("135", "left"), ("180", "right"))


def names() -> list[str]:
    return [f"Rafd{a}_{model}_{e}_{gaze}" for a, gaze in VIEWS for model in MODELS for e in EXPRESSIONS]


def official(root: Path, folder: str = "RafD") -> Expected:
    """Everything in one folder, a picture cut by somebody among it."""
    found = Expected(skipped=1, subjects=len(MODELS))
    for i, name in enumerate(names()):
        save(root / folder / f"{name}.{'JPG' if i == 3 else 'jpg'}", face(i, 36, colour=True))
        found.counts[None, name.split("_")[4]] += 1
    save(root / folder / f"{names()[0]}_cropped.jpg", face(5000, 20))
    litter(root / folder)
    return found


def flat(root: Path) -> Expected:
    """Everything in the root itself."""
    return official(root, ".")


LAYOUTS = {"official": official, "flat": flat}
