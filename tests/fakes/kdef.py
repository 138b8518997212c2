"""KDEF: folders of session and person, capitals, two names cut short."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

CODES = ("AF", "AN", "DI", "HA", "NE", "SA", "SU")
ANGLES = ("FL", "HL", "S", "HR", "FR")


def names() -> list[str]:
    """Return the names of three people in both sessions; one number is a woman and a man."""
    return [
        f"{session}{person}{code}{angle}"
        for session in "AB"
        for person in ("F01", "M01", "F31")
        for code in CODES
        for angle in ANGLES
    ]


def official(root: Path, flat: bool = False) -> Expected:
    """KDEF/AF01/AF01AFFL.JPG, and beside it AKDEF, whose averaged faces are nobody's."""
    found = Expected(skipped=3, subjects=3)
    base = root if flat else root / "KDEF_and_AKDEF" / "KDEF"
    for i, name in enumerate(names()):
        suffix = ".jpg" if i == 7 else ".JPG"
        save(base / ("" if flat else name[:4]) / f"{name}{suffix}", face(i, 40, colour=True))
        found.counts[None, name[4:6]] += 1
    for i, name in enumerate(("AF31V", "AM31H")):
        save(base / ("" if flat else name[:4]) / f"{name}.JPG", face(1000 + i, 40))
    save(base / "contact sheet.jpg", face(1010, 40))
    if not flat:
        save(base.parent / "AKDEF" / "FAFFL.JPG", face(1011, 40))
        (base.parent / "Readme.txt").write_text("KDEF\r\n")
    litter(base)
    return found


def flat(root: Path) -> Expected:
    """All pictures in one folder."""
    return official(root, flat=True)


LAYOUTS = {"official": official, "flat": flat}
