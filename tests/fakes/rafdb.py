"""RAF-DB's basic set: the official tree with its typo, and the Kaggle repack."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

SPLITS = {"train": (5, 3), "test": (4, 1)}  # digits in the name, images per class


def names() -> list[tuple[str, str, int]]:
    """Return (split, stem, code) of every image; test numbers have four digits, train numbers five."""
    return [
        (split, f"{split}_{i + 1:0{digits}d}", 1 + i * 5 % 7)
        for split, (digits, per_class) in SPLITS.items()
        for i in range(7 * per_class)
    ]


def expected() -> Expected:
    found = Expected()
    for split, _, code in names():
        found.counts[split, str(code)] += 1
    return found


def official(root: Path) -> Expected:
    """basic/ with both image folders and all annotations, tabs and blanks mixed in them."""
    base = root / "basic"
    manual, boxes = base / "Annotation" / "manual (1)", base / "Annotation" / "boundingbox"
    for folder in (manual, boxes, base / "EmoLabel", base / "Image" / "aligned", base / "Image" / "original"):
        folder.mkdir(parents=True)
        litter(folder)
    listed = []
    for i, (_, stem, code) in enumerate(names()):
        listed.append(f"{stem}.jpg {code}")
        save(base / "Image" / "aligned" / f"{stem}_aligned.jpg", face(i, 100, colour=True))
        save(base / "Image" / "original" / f"{stem}.jpg", face(i, 130, colour=True))
        blank = "\t" if i % 2 else " "
        points = "\n".join(f"{10.5 + p}{blank}{20 + i}" for p in range(5))
        (manual / f"{stem}_manu_attri.txt").write_text(f"{points}\n{i % 3}\n{i % 3}\n{i % 5}\n\n")
        (boxes / f"{stem}_boundingbox.txt").write_text(f"{10 + i}.5 20.0 {90 + i}.5 120.0 ")
    (base / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(listed) + "\n")
    return expected()


def kaggle(root: Path, outer: bool = True, inside: bool = True) -> Expected:
    """DATASET/{train,test}/{1..7}/ and tables with CRLF, inside the outer folder or beside it."""
    base = root / "DATASET" if outer else root
    for i, (split, stem, code) in enumerate(names()):
        save(base / split / str(code) / f"{stem}_aligned.jpg", face(i, 100, colour=True))
        litter(base / split / str(code))
    for split in SPLITS:
        lines = ["image,label", *(f"{s}_aligned.jpg,{code}" for part, s, code in names() if part == split)]
        table = (base if inside else root) / f"{split}_labels.csv"
        table.write_bytes(("\r\n".join(lines) + "\r\n").encode())
    return expected()


LAYOUTS = {"official": official, "kaggle": kaggle}
