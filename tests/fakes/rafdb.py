"""RAF-DB: the official trees of the basic and the compound set with their typo, and the Kaggle repack."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

SPLITS = {"train": (5, 3), "test": (4, 1)}  # digits in the name, images per class


def names(shorter: int = 0) -> list[tuple[str, str, int]]:
    """Return (split, stem, code) of every image; test numbers have four digits, train numbers five."""
    return [
        (split, f"{split}_{i + 1:0{digits - shorter}d}", 1 + i * 5 % 7)
        for split, (digits, per_class) in SPLITS.items()
        for i in range(7 * per_class)
    ]


def expected() -> Expected:
    found = Expected()
    for split, _, code in names():
        found.counts[split, str(code)] += 1
    return found


def tree(base: Path, codes: list[int], seed: int, shorter: int = 0) -> None:
    """One set with both image folders and all annotations, tabs and blanks mixed in them."""
    notes = base / "Annotation"
    manual, auto, boxes = notes / "manual (1)", notes / "auto", notes / "boundingbox"
    for folder in (manual, auto, boxes, base / "EmoLabel", base / "Image" / "aligned", base / "Image" / "original"):
        folder.mkdir(parents=True)
        litter(folder)
    listed = []
    for i, ((_, stem, _), code) in enumerate(zip(names(shorter), codes, strict=True)):
        listed.append(f"{stem}.jpg {code}")
        save(base / "Image" / "aligned" / f"{stem}_aligned.jpg", face(seed + i, 100, colour=True))
        save(base / "Image" / "original" / f"{stem}.jpg", face(seed + i, 130, colour=True))
        blank = "\t" if i % 2 else " "
        points = "\n".join(f"{10.5 + p}{blank}{20 + i}" for p in range(5))
        (manual / f"{stem}_manu_attri.txt").write_text(f"{points}\n{i % 3}\n{i % 3}\n{i % 5}\n\n")
        found = "\r\n".join(f"{30.25 + p}{blank}{40 + i}" for p in range(37))
        (auto / f"{stem}_auto_attri.txt").write_bytes(f"{found}\r\n".encode())
        (boxes / f"{stem}_boundingbox.txt").write_text(f"{10 + i}.5 20.0 {90 + i}.5 120.0 ")
    (base / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(listed) + "\n")


def official(root: Path) -> Expected:
    """basic/ alone."""
    tree(root / "basic", [code for _, _, code in names()], 0)
    return expected()


def compound(root: Path, shorter: int = 1) -> Expected:
    """compound/ alone: image names whose numbers have a digit less, codes 1 to 11."""
    codes = [1 + i % 11 for i in range(len(names()))]
    tree(root / "RAF" / "compound", codes, 500, shorter)
    found = Expected()
    found.counts.update((split, f"compound {code}") for (split, _, _), code in zip(names(), codes, strict=True))
    return found


def both(root: Path) -> Expected:
    """Both sets side by side; only the basic one is read unless the other is asked for."""
    compound(root)
    tree(root / "RAF" / "basic", [code for _, _, code in names()], 0)
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


LAYOUTS = {"official-both": both, "official": official, "official-compound": compound, "kaggle": kaggle}
