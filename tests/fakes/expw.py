"""ExpW: whole pictures with one face or more, and the list beside them or in a folder of its own."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

NAMES = ("afraid_African_214.jpg", "happy_old man_7.jpg", "sad_actor_11.JPG", "angry_boss_3.jpg")


def official(root: Path, folder: str = "image/origin", listed: str = "label/label.lst") -> Expected:
    """image/origin/ and label/label.lst: a picture without a labelled face, a face listed again, a box of no area."""
    found, lines = Expected(skipped=3), []
    for i, name in enumerate(NAMES):
        save(root / folder / name, face(i, 120, colour=True))
        for f in range(1 + i % 3):
            code = (2 * i + f) % 7
            lines.append(f"{name} {f} {10 + f} {20 + f} {80 + f} {90 + f} {50.5 + i} {code}")
            found.counts[None, str(code)] += 1
    lines += [lines[0][:-1] + "6", f"{NAMES[3]} 9 10 30 30 90 40.0 1"]
    save(root / folder / "nobody_1.jpg", face(99, 60))
    (root / listed).parent.mkdir(exist_ok=True)
    (root / listed).write_bytes(("\r\n".join(lines) + "\r\n").encode())
    litter(root / folder)
    return found


def flat(root: Path) -> Expected:
    """image/*.jpg and label.lst beside it."""
    base = root / "ExpW"
    base.mkdir()
    return official(base, "image", "label.lst")


LAYOUTS = {"official": official, "flat": flat}
