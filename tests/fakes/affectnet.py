"""AffectNet: the lists of the first release with their defects, the npy release, and repacks in class folders."""

from pathlib import Path

import numpy as np

from tests.fakes import Expected, face, litter, save

HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
POINTS = ";".join(f"{10 + p / 4:.2f};{20 + p / 8:.2f}" for p in range(68))
SUFFIXES = (".jpg", ".JPG", ".png", ".bmp", ".tif")


def name(i: int) -> str:
    """Return a name as the publishers give it: a numbered folder, 56 hexadecimal digits."""
    return f"{i % 3 + 1}/{i * 0x9E3779B97F4A7C15 + 1:056x}{SUFFIXES[i % 5]}"


def record(i: int, expression: int, box: str = "20,20,137,137") -> str:
    affect = "-2,-2" if expression > 7 else f"{expression / 10 - 0.4:.6f},{0.05 * expression:.6f}"
    return f"{name(i)},{box},{POINTS},{expression},{affect}"


def csv(root: Path, automatic: bool = True) -> Expected:
    """Both lists, the second without a header; whole pictures; two records that are damaged, one listed again."""
    found = Expected(skipped=3)
    lists = root / "Manually_Annotated_file_lists"
    lists.mkdir()
    images = root / "Manually_Annotated" / "Manually_Annotated_Images"
    train, val = [HEADER], []
    for i in range(33):
        split, lines = ("val", val) if i >= 22 else ("train", train)
        # Where no face was found, the box is negative.
        lines.append(record(i, i % 11, "-1,-1,-1,-1" if i % 11 == 10 else "20,20,137,137"))
        save(images / name(i), face(i, 64, colour=True))
        found.counts[split, str(i % 11)] += 1
    train.insert(5, name(50) + ",20,20,137")
    train.insert(9, record(51, 3).replace("20,20,137,137", "20,20,,137"))
    train.append(record(4, 7))
    (lists / "training.csv").write_bytes(("\r\n".join(train) + "\r\n").encode())
    (lists / "validation.csv").write_text("\n".join(val))
    litter(lists, images, images / "1")
    if automatic:
        lists = root / "Automatically_Annotated_file_lists"
        lists.mkdir()
        (lists / "automatically_annotated.csv").write_text(f"{HEADER}\n{record(60, 1)}\n")
        save(root / "Automatically_Annotated" / "Automatically_Annotated_Images" / name(60), face(60))
    return found


def npy(root: Path) -> Expected:
    """train_set and val_set; some labels are text; one picture has no label, one label is a pickled object."""
    found = Expected(skipped=1)
    for folder, split, numbers in (("train_set", "train", range(16)), ("val_set", "val", range(5, 13))):
        notes = root / "AffectNet" / folder / "annotations"
        notes.mkdir(parents=True)
        for n in numbers:
            save(root / "AffectNet" / folder / "images" / f"{n}.jpg", face(n + 100 * (split == "val"), 56, colour=True))
            code = n % 8
            np.save(notes / f"{n}_exp.npy", np.array(str(code)) if n % 2 else np.int64(code))
            np.save(notes / f"{n}_val.npy", np.array("-0.25") if n % 2 else np.float64(-0.25))
            np.save(notes / f"{n}_aro.npy", np.float64(-2 if n == 3 else 0.5))
            np.save(notes / f"{n}_lnd.npy", np.arange(136, dtype=np.float64))
            found.counts[split, str(code)] += 1
        litter(notes, notes.parent / "images")
    train = root / "AffectNet" / "train_set"
    save(train / "images" / "20.jpg", face(20, 56))
    found.counts["train", None] += 1
    save(train / "images" / "21.jpg", face(21, 56))
    np.save(train / "annotations" / "21_exp.npy", np.array([{"exp": 3}], dtype=object), allow_pickle=True)
    return found


def folders(root: Path) -> Expected:
    """A repack in named class folders, its splits in capitals."""
    found = Expected()
    names = ("Anger", "Contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    for folder, split in (("Train", "train"), ("Test", "test")):
        for i, label in enumerate(names):
            for j in range(2):
                save(
                    root / "archive" / folder / label / f"image{i:04d}{j}.jpg", face(2 * i + j + 50 * (split == "test"))
                )
                found.counts[split, label] += 1
            litter(root / "archive" / folder / label)
    return found


def mirror(root: Path) -> None:
    """The mirror whose labels.csv contradicts its folders: 6 of the 20 lines that have a picture, each in its way.

    Train has anger/ and Test has Anger/; two lines fit a picture in both, and one fits none.
    """
    lines = [",pth,label,relFCs"]
    for i in range(8):
        save(root / "Train" / "anger" / f"image{i:07d}.jpg", face(i, 56))
        save(root / "Train" / "happy" / f"image{i + 20:07d}.jpg", face(i + 20, 56))
        lines.append(f"{2 * i},anger/image{i:07d}.jpg,{'surprise' if i % 2 else 'anger'},0.87")
        lines.append(f"{2 * i + 1},happy/image{i + 20:07d}.jpg,happy,0.5")
    for i in range(4):
        save(root / "Test" / "Anger" / f"image{i + 6:07d}.jpg", face(i + 50, 56))
        save(root / "Train" / "contempt" / f"image{i + 60:07d}.jpg", face(i + 60, 56))
        lines.append(f"{i + 30},anger/image{i + 8:07d}.jpg,{'surprise' if i in (0, 1) else 'anger'},0.9")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")


def numbered(root: Path) -> Expected:
    """A repack in folders 0 to 7."""
    found = Expected()
    for folder, split in (("train", "train"), ("val", "val")):
        for code in range(8):
            for j in range(2):
                save(root / folder / str(code) / f"ffhq_{code}_{j}.png", face(2 * code + j + 50 * (split == "val")))
                found.counts[split, str(code)] += 1
            litter(root / folder / str(code))
    return found


def flat(root: Path) -> Expected:
    """The mirror without splits: class folders beside a labels.csv that says what they say."""
    found, lines = Expected(), [",pth,label,relFCs"]
    for i, label in enumerate(("anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")):
        for j in range(2):
            name = f"{label}/image{2 * i + j:07d}.jpg"
            save(root / "archive" / name, face(2 * i + j, 56))
            lines.append(f"{2 * i + j},{name},{label},0.87")
            found.counts[None, label] += 1
        litter(root / "archive" / label)
    (root / "archive" / "labels.csv").write_text("\n".join(lines) + "\n")
    return found


LAYOUTS = {"csv": csv, "npy": npy, "folders": folders, "numbered": numbered, "flat": flat}
