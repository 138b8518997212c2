"""A table of images and labels, with semicolons, a byte-order mark and CRLF."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save


def table(root: Path) -> Expected:
    """Paths in both spellings, labels in any case, one image listed twice, one row without a label."""
    found, lines = Expected(), ["ID; Image ;Emotion"]
    for i, label in enumerate(("Happy", "HAPPY", "sad", "neutral", "")):
        name = f"pics/{i} a.png"
        save(root / name, face(i, 24))
        lines.append(f"{i};{name.replace('/', chr(92)) if i == 2 else name};{label}")
        found.counts[None, label or None] += 1
    lines.append("9;pics/0 a.png;sad")
    found.counts[None, "sad"] += 1
    (root / "labels.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, ""]).encode())
    litter(root)
    return found


LAYOUTS = {"table": table}
