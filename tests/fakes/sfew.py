"""SFEW 2.0: frames and aligned faces in class folders, an unlabelled test, and the repack with its table."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

CLASSES = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
SPLITS = {"Train": ("train", 3), "Val": ("val", 2)}


def official(root: Path) -> Expected:
    """Train, Val and Test, whole and aligned, named after the film; a picture lies in no class folder."""
    base, found, i = root / "SFEW_2", Expected(skipped=1, sequences=38), 0
    for folder, (split, count) in SPLITS.items():
        for label in CLASSES:
            for j in range(count):
                name = f"Film'sName{j}_{i:06d}240_000000{j:02d}.png"
                save(base / f"{folder}_Aligned_Faces" / label / name, face(i, 40, colour=True))
                save(base / folder / label / name, face(500 + i, 72, colour=True))
                found.counts[split, label] += 1
                i += 1
            litter(base / f"{folder}_Aligned_Faces" / label)
    for j in range(3):
        for folder, seed in (("Test_Aligned_Faces", 900), ("Test", 950)):
            save(base / folder / f"Other_{j:09d}_00000001.png", face(seed + j, 40))
        found.counts["test", None] += 1
    for folder in ("Train", "Train_Aligned_Faces"):
        save(base / folder / "montage.png", face(999, 30))
    litter(base)
    return found


def table(root: Path) -> Expected:
    """sfew_2.0_labels.csv with CRLF, and its pictures under new names, one of them not listed."""
    found = Expected()
    lines = ["image_name,label,emotion,original_split"]
    for i in range(28):
        label, folder = CLASSES[i % 7], "Train" if i < 21 else "Val"
        lines.append(f"image_{i:06d}.png,{i % 7},{label},{folder}_Aligned_Faces")
        save(root / "sfew2.0_images" / f"image_{i:06d}.png", face(i, 40, colour=True))
        found.counts[SPLITS[folder][0], label] += 1
    save(root / "sfew2.0_images" / "image_000099.png", face(99, 40))
    found.counts[None, None] += 1
    (root / "sfew_2.0_labels.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode())
    litter(root / "sfew2.0_images")
    return found


LAYOUTS = {"official": official, "table": table}
