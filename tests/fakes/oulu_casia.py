"""Oulu-CASIA: two sets of images, two cameras, three lights; sequences of uneven length."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

EMOTIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
PEOPLE = ("P001", "P042")


def tree(base: Path, seed: int, lights: tuple[str, ...] = ("Strong", "Weak")) -> None:
    """Write one set: P001 and P042, one sequence of two frames only."""
    for c, camera in enumerate(("VL", "NI")):
        for x, light in enumerate(lights):
            for p, person in enumerate(PEOPLE):
                for e, emotion in enumerate(EMOTIONS):
                    folder = base / camera / light / person / emotion
                    for n in range(2 if (p, e) == (1, 5) else 5 + e % 2):
                        suffix = ".JPEG" if (p, e, n) == (0, 0, 4) else ".jpeg"
                        save(folder / f"{n:03d}{suffix}", face(seed + 5000 * c + 2000 * x + 100 * (6 * p + e) + n))
                    litter(folder)


def expected() -> Expected:
    """Return what the last three frames of visible light under strong illumination count."""
    found = Expected(subjects=2, sequences=12)
    for p in range(2):
        for e, emotion in enumerate(EMOTIONS):
            found.counts[None, emotion] += 2 if (p, e) == (1, 5) else 3
    return found


def official(root: Path) -> Expected:
    """Whole and cut images side by side, and a file that is no frame."""
    tree(root / "Oulu_CASIA_NIR_VIS" / "B_OriginalImg", 0)
    tree(root / "Oulu_CASIA_NIR_VIS" / "B_Acropped", 20000, ("Strong",))
    save(root / "Oulu_CASIA_NIR_VIS/B_OriginalImg/VL/Strong/P001/contact sheet.jpg", face(1))
    found = expected()
    found.skipped = 1
    return found


def one_set(root: Path) -> Expected:
    """OriginalImg alone, its inner folders at the root."""
    tree(root, 0)
    return expected()


LAYOUTS = {"official": official, "one-set": one_set}
