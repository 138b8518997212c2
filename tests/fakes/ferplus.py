"""FER+: its table of votes, FER2013's pixels in the same order, and the folders that its own script makes."""

from pathlib import Path

from tests.fakes import Expected, face, litter, pixels, save

FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
Row = tuple[str, str, tuple[int, ...]]


def rows() -> list[Row]:
    """Return (usage, name, votes): unnamed rows, names that lag behind their rows, one name on two rows."""
    found: list[Row] = []
    number = 0
    for i in range(40):
        usage = "Training" if i < 26 else "PublicTest" if i < 33 else "PrivateTest"
        if i in (5, 17, 30):
            number += i == 17  # some unnamed rows use up a number, most do not
            found.append((usage, "", (0,) * 9 + (10,)))
            continue
        name = "fer0000007.png" if i == 20 else f"fer{number:07d}.png"
        votes = [0] * 10
        votes[i % 8] = 7
        votes[(i + 3) % 9] += 3
        found.append((usage, name, tuple(votes)))
        number += i != 20
    return found


def write_new(root: Path, ending: str = "\n") -> None:
    """Write fer2013new.csv."""
    lines = [HEADER, *(f"{usage},{name},{','.join(map(str, votes))}" for usage, name, votes in rows())]
    (root / "fer2013new.csv").write_bytes((ending.join(lines) + ending).encode())


def write_pixels(root: Path, unnamed: bool = True) -> None:
    """Write fer2013.csv with all rows, or without those that FER+ gives no name."""
    lines = ["emotion,pixels,Usage"]
    for i, (usage, name, _) in enumerate(rows()):
        if name or unnamed:
            lines.append(f"{i % 7},{pixels(face(i))},{usage}")
    (root / "fer2013.csv").write_text("\n".join(lines) + "\n")


def tables(root: Path) -> Expected:
    """The two tables, with Windows line ends in one."""
    write_new(root, "\r\n")
    write_pixels(root)
    litter(root)
    found = Expected(skipped=3)
    for usage, name, _ in rows():
        if name:
            found.counts[SPLITS[usage], None] += 1
    return found


def png(root: Path) -> Expected:
    """The folders below data/, as generate_training_data.py fills them: a name on two rows is one file."""
    write_new(root)
    found = Expected()
    for usage, folder in FOLDERS.items():
        lines = {}
        for i, (row_usage, name, votes) in enumerate(rows()):
            if row_usage == usage and name:
                save(root / "data" / folder / name, face(i))
                lines[name] = f'{name},"(0, 0, 48, 48)",{",".join(map(str, votes))}'
        end = "\r\n" if folder == "FER2013Valid" else "\n"
        (root / "data" / folder / "label.csv").write_bytes((end.join(lines.values()) + end).encode())
        litter(root / "data" / folder)
        found.counts[SPLITS[usage], None] += len(lines)
    return found


LAYOUTS = {"png": png, "csv": tables}
