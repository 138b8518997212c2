"""FER2013 as the challenge's tables and as its repacks' folders."""

from pathlib import Path

from tests.fakes import Expected, face, litter, pixels, save

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGES = {"Training": ("train", 3), "PublicTest": ("val", 1), "PrivateTest": ("test", 2)}


def rows() -> list[tuple[int, str]]:
    """Return (code, usage) of every row, in file order."""
    return [(code, usage) for usage, (_, n) in USAGES.items() for code in range(7) for _ in range(n)]


def table(root: Path) -> Expected:
    """fer2013.csv, nested as its tarball unpacks, with a byte-order mark and CRLF."""
    folder = root / "fer2013" / "fer2013"
    folder.mkdir(parents=True)
    litter(folder)
    (folder / "README").write_text("the challenge's readme")
    lines = ["emotion,pixels,Usage"]
    lines += [f"{code},{pixels(face(i))},{usage}" for i, (code, usage) in enumerate(rows())]
    (folder / "fer2013.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, "", ""]).encode())
    return expected()


def icml(root: Path) -> Expected:
    """icml_face_data.csv, whose header has blanks; test.csv without labels lies beside it."""
    lines = ["emotion, Usage, pixels"]
    lines += [f"{code},{usage},{pixels(face(i))}" for i, (code, usage) in enumerate(rows())]
    (root / "icml_face_data.csv").write_text("\n".join(lines) + "\n")
    competition(root)
    return expected()


def competition(root: Path) -> Expected:
    """train.csv with labels, test.csv without."""
    train = [f'{code},"{pixels(face(i))}"' for i, (code, usage) in enumerate(rows()) if usage == "Training"]
    test = [f'"{pixels(face(i))}"' for i, (_, usage) in enumerate(rows()) if usage != "Training"]
    (root / "train.csv").write_text("\n".join(["emotion,pixels", *train]) + "\n")
    (root / "test.csv").write_text("\n".join(["pixels", *test]) + "\n")
    (root / "example_submission.csv").write_text("id,emotion\n1,0\n")
    found = Expected()
    found.counts.update({("train", str(code)): 3 for code in range(7)})
    found.counts["test", None] = len(test)
    return found


def folders(root: Path) -> Expected:
    """Class folders whose test mixes both test sets, with an augmented copy and one number in two classes."""
    for i, (code, usage) in enumerate(rows()):
        folder = root / ("train" if usage == "Training" else "test") / CLASSES[code]
        number = 52789098 if code in (5, 6) and i % 3 == 0 and usage == "Training" else 1206 + 97 * i
        save(folder / f"{usage}_{number}{'.JPG' if i % 5 == 0 else '.jpg'}", face(i))
        litter(folder)
    save(root / "train" / "disgust" / "Training_1.jpg_4.jpg", face(999))
    found = expected(CLASSES)
    found.skipped = 1
    return found


def expected(names: tuple[str, ...] = tuple("0123456")) -> Expected:
    """Return the counts of `rows`."""
    found = Expected()
    for code, usage in rows():
        found.counts[USAGES[usage][0], names[code]] += 1
    return found


LAYOUTS = {"csv": table, "icml": icml, "competition": competition, "folders": folders}
