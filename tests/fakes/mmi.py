"""MMI: downloads of chosen sessions, of which no two hold the same kinds of files."""

from pathlib import Path

import cv2

from tests.fakes import Expected, face, litter, save

FRAMES = 15
# Type 0 there is nothing yet or any more, 1 onset, 2 apex, 3 offset
MARKERS = {"12": ((0, 1), (1, 4), (2, 6), (3, 10), (0, 13)), "25": ((0, 1), (1, 5), (2, 7), (3, 9), (0, 12))}


def film(path: Path, seed: int, frames: int = FRAMES) -> None:
    """Write a video of which every frame can be decoded alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 24, (72, 56))
    assert writer.isOpened()
    for i in range(frames):
        writer.write(cv2.resize(face(seed + i, 56, colour=True), (72, 56)))
    writer.release()


def session(folder: Path, stem: str, view: str | None = "0", emotion: str | None = None, units: bool = False) -> None:
    """Write the files that describe a session: session.xml, and what else it has."""
    folder.mkdir(parents=True, exist_ok=True)
    notes = "".join(
        f'<annotation filename="{stem}{end}"/>' for end, there in ((".xml", emotion), ("-oao_aucs.xml", units)) if there
    )
    seen = "" if view is None else f'<track view="{view}" fps="24">{notes}</track>'
    (folder / "session.xml").write_text(f'<?xml version="1.0" encoding="UTF-8"?>\r\n<session>{seen}</session>\r\n')
    if emotion:
        tags = f'<Metatag Name="Recorder" Value="2"/>\n<Metatag Name="Emotion" Value="{emotion}"/>'
        (folder / f"{stem}.xml").write_text(f"<Session>\n{tags}\n</Session>\n")
    if units:
        rows = "".join(
            f'<ActionUnit Number="{n}">' + "".join(f'<Marker Type="{k}" Frame="{f}"/>' for k, f in ms) + "</ActionUnit>"
            for n, ms in MARKERS.items()
        )
        (folder / f"{stem}-oao_aucs.xml").write_text(f"<AUCoding>{rows}</AUCoding>")


def sessions(root: Path) -> Expected:
    """Sessions of one download: frontal, dual and profile views, codes beyond the six, stills, an empty one."""
    for number, stem, view, emotion, units in (
        ("1", "S001-001", "0", "1", True),
        ("2", "S001-002", "0", "4", False),
        ("31", "S002-001", "2", "6", False),
        ("32", "S002-002", "1", "5", False),
        ("500", "S003-001", "0", "13", False),
        ("501", "S003-002", "0", None, True),
        ("1999", "S004-001", None, "2", False),
    ):
        session(root / number, stem, view, emotion, units)
        film(root / number / f"{stem}.{'AVI' if number == '2' else 'avi'}", 50 * int(number))
        litter(root / number)
    session(root / "2001", "S005-001", "0", "3")
    save(root / "2001" / "S005-001.jpg", face(7, 56, colour=True))
    save(root / "2001" / "S005-002.png", face(8, 56, colour=True))
    session(root / "2002", "S006-001", "0", "3")
    found = Expected(subjects=5, sequences=7, skipped=2)
    found.counts.update((None, label) for label in ("1", "4", "6", "13", None, "2", "3", "3"))
    return found


def one(root: Path) -> Expected:
    """One download's inner folder."""
    return sessions(root / "Sessions")


def downloads(root: Path) -> Expected:
    """Two downloads side by side, one session in both."""
    found = sessions(root / "mmi-facial-expression-database_download_2020-12-13_20_07_13" / "Sessions")
    second = root / "mmi-facial-expression-database_download_2021-01-02_09_00_00" / "Sessions"
    session(second / "1", "S001-001", "0", "1", units=True)
    film(second / "1" / "S001-001.avi", 50)
    session(second / "70", "S001-070", "0", "2")
    film(second / "70" / "S001-070.avi", 9000)
    litter(root, second)
    found.counts[None, "2"] += 1
    found.sequences += 1
    found.skipped += 1
    return found


LAYOUTS = {"downloads": downloads, "sessions": one}
