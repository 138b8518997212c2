"""JAFFE: the flat folder with its odd names, and README_FIRST.txt with both tables."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

SUBJECTS = ("KA", "KM", "YM")
CODES = ("NE", "HA", "SA", "SU", "AN", "DI", "FE")
# As found in the wild: either case, short suffix, blanks before the dot.
ODD = {1: "{}.TIFF", 3: "{} .tiff", 5: "{}.tif"}


def names() -> list[tuple[str, str, int]]:
    """Return (subject, code and take, serial) of every picture; the takes have gaps."""
    found, serial = [], 1
    for subject in SUBJECTS:
        for i, code in enumerate(CODES):
            for take in (1, 3) if i % 3 else (1,):
                found.append((subject, f"{code}{take}", serial))
                serial += 1 + (take == 3)
    return found


def ratings(serial: int) -> list[float]:
    """Return the six ratings of a picture; serial 2 is a tie, the others are highest at one adjective."""
    top = serial % 6
    return [4.5 if i == top or (serial == 2 and i == 0) else 1 + (serial + i) % 9 / 4 for i in range(6)]


def official(root: Path, readme: str | None = "README_FIRST.txt", folder: str = "jaffedbase/jaffe") -> Expected:
    """jaffe/*.tiff, and the README beside it; the last picture is not in the table, one row has no picture."""
    found = Expected(subjects=len(SUBJECTS))
    base = root / folder
    lines = ["JAFFE", "", "Semantic Ratings Data on 6 adjectives", "#  HAP  SAD  SUR  ANG  DIS  FEA  PIC", "-" * 40]
    listed = names()
    for i, (subject, code, serial) in enumerate(listed):
        stem = f"{subject}.{code}.{serial}"
        save(base / ODD.get(i, "{}.tiff").format(stem.lower() if i == 7 else stem), face(i, 32))
        found.counts[None, code[:2]] += 1
        if i < len(listed) - 1:
            lines.append(f"{serial}  {'  '.join(f'{v:.2f}' for v in ratings(serial))}  {subject}-{code}")
    lines += ["219 1.00 1.00 1.00 1.00 1.00 1.00 KA-FE9", "", "Semantic Ratings Data (fear excluded)", ""]
    lines += ["#  HAP  SAD  SUR  ANG  DIS  PIC", "1  5.00  5.00  5.00  5.00  5.00  KA-NE1"]
    if readme:
        ((base if folder == "." else base.parent) / readme).write_bytes(
            ("\r\n".join(lines) + "\r\n").encode("mac_roman")
        )
    save(base / "overview.png", face(999, 16))
    found.skipped += 1
    litter(base)
    return found


def flat(root: Path) -> Expected:
    """The pictures in the root itself, and A_README_FIRST.txt among them."""
    return official(root, "A_README_FIRST.txt", ".")


LAYOUTS = {"official": official, "flat": flat}
