"""Seeded mutations of a tree of files: what becomes of a file, of a folder, or of the text in one."""

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.robust import mutate_text, pictures

NO_TEXT = (*pictures.SUFFIXES, ".avi", ".mp4", ".npy", ".zip", ".tar", ".gz", ".tgz", ".mat", ".parquet")
NAMES = (
    *("new\nline.png", "esc\x1b[31m.png", "tab\t.png", "bidi\u202e.png", "b" * 240 + ".png", " lead.png", "trail .png"),
    *("'q\".png", "=1+1.png", "<b>x</b>.png", "%00.png", "a;b.png", "CON.png", "-rf.png", "é.png", "e\u0301.png"),
)
FOLDERS = ("new\nline", "esc\x1b[31m", "<img src=x>", "\u202e", "n" * 250)
SUFFIXES = (".PNG", ".jpeg", ".txt", ".png", "", ".gif", ".zip", ".tar.gz")


@dataclass
class Touched:
    """What was done to a tree: in words, to which paths, and to which lines of text; `rights` if some were taken."""

    done: list[str] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    text: str = ""
    rights: bool = False

    def add(self, what: str, paths: list[Path], root: Path) -> None:
        """Note a mutation."""
        relative = [os.path.relpath(path, root) for path in paths]
        self.done.append(f"{what} {[name[:80] for name in relative[:2]]}")
        self.paths |= set(relative)


def files_of(root: Path) -> list[Path]:
    """Return the plain files below `root` that are a dataset's, in order."""
    found = []
    for parent, folders, names in os.walk(root):
        folders.sort()
        if "__MACOSX" not in Path(parent).parts:
            found += [Path(parent, n) for n in sorted(names) if not n.startswith(".") and n != "Thumbs.db"]
    return [path for path in found if path.is_file()]


def is_text(path: Path) -> bool:
    """Return whether a file is a text by its name."""
    return path.suffix.lower() not in NO_TEXT


def mutate(root: Path, outside: Path, chance: random.Random, times: int) -> Touched:
    """Change a tree some times; `outside` is a folder that links may lead to."""
    touched = Touched()
    for _ in range(times):
        every = files_of(root)
        if not every:
            break
        texts = [path for path in every if is_text(path)]
        faces = [path for path in every if path.suffix.lower() in pictures.SUFFIXES]
        dice = chance.random()
        try:
            if texts and dice < 0.5:
                _text(chance.choice(texts), root, chance, touched)
            elif faces and dice < 0.62:
                path = chance.choice(faces)
                name, data = pictures.odd(chance)
                path.write_bytes(data)
                touched.add(name, [path], root)
            elif dice < 0.85:
                _file(
                    chance.choice(texts if texts and chance.random() < 0.4 else every), root, outside, chance, touched
                )
            else:
                _folder(root, outside, chance, touched)
        except OSError as error:  # a name too long for this disk
            touched.done.append(f"not done: {error.strerror}")
    return touched


def _text(path: Path, root: Path, chance: random.Random, touched: Touched) -> None:
    before = path.read_bytes()
    name, after = mutate_text.mutated(before, chance)
    path.write_bytes(after)
    touched.text += mutate_text.changed_lines(before, after)
    touched.add(name, [path], root)


# ---- one file


def _gone(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
    path.unlink()
    return [path]


def _copied(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
    names = (f"{path.stem} (1){path.suffix}", f"copy_{path.name}", f"{path.name}.bak", path.stem + path.suffix.upper())
    new = path.with_name(chance.choice(names))
    if not new.exists():
        new.write_bytes(path.read_bytes())
    return [new]


def _renamed(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
    new = other.with_name(f"{path.stem}_{path.suffix}")
    path.rename(new)
    return [path, new]


def _another_suffix(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
    new = path.with_suffix(chance.choice(SUFFIXES))
    if not new.exists():
        path.rename(new)
    return [path, new]


def _replaced(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
    path.write_bytes(other.read_bytes())
    return [path]


def _swapped(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
    one, another = path.read_bytes(), other.read_bytes()
    path.write_bytes(another)
    other.write_bytes(one)
    return [path, other]


def _made(make: Callable[[Path, Path, random.Random], object]) -> "OfFile":
    def change(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
        path.unlink()
        make(path, outside, chance)
        return [path]

    return change


def _link_out(path: Path, outside: Path, chance: random.Random) -> None:
    places = (outside / "secret.png", outside, Path("/etc/passwd"), Path("/dev/zero"), Path("/nowhere"))
    path.symlink_to(chance.choice(places))


def _odd_name(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
    name = b"\xff\xfe.png" if chance.random() < 0.2 else chance.choice(NAMES).encode()
    raw = os.fsencode(path.parent) + b"/" + name
    new = Path(os.fsdecode(raw))
    if chance.random() < 0.5:
        path.rename(new)
        return [path, new]
    if not new.exists():
        new.write_bytes(path.read_bytes())
    return [new]


def _hidden(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
    path.rename(path.with_name(f".{path.name}"))
    return [path]


def _without_rights(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
    path.chmod(0)
    return [path]


def _bytes(change: mutate_text.Mutation) -> "OfFile":
    def changed(path: Path, other: Path, outside: Path, chance: random.Random) -> list[Path]:
        path.write_bytes(change(path.read_bytes(), chance))
        return [path]

    return changed


OfFile = Callable[[Path, Path, Path, random.Random], list[Path]]
RIGHTS = "no rights"
FILE: dict[str, OfFile] = {
    "gone": _gone,
    "copied": _copied,
    "renamed": _renamed,
    "another suffix": _another_suffix,
    "replaced": _replaced,
    "swapped": _swapped,
    "a folder": _made(lambda path, outside, chance: path.mkdir()),
    "a link out": _made(_link_out),
    "a link to itself": _made(lambda path, outside, chance: path.symlink_to(path.name)),
    "a link up": _made(lambda path, outside, chance: path.symlink_to("..")),
    "a pipe": _made(lambda path, outside, chance: os.mkfifo(path)),
    RIGHTS: _without_rights,
    "empty": _bytes(lambda data, chance: b""),
    "cut": _bytes(mutate_text.cut),
    "bits": _bytes(mutate_text.flipped),
    "hidden": _hidden,
    "odd name": _odd_name,
}


def _file(path: Path, root: Path, outside: Path, chance: random.Random, touched: Touched) -> None:
    name = chance.choice(sorted(FILE))
    other = chance.choice(files_of(root))
    for each in {path, other}:
        if is_text(each):
            touched.text += each.read_bytes().decode("utf-8", "replace")
    touched.add(name, FILE[name](path, other, outside, chance), root)
    touched.rights |= name == RIGHTS


# ---- one folder


def _folder(root: Path, outside: Path, chance: random.Random, touched: Touched) -> None:
    inner = sorted({p.parent for p in files_of(root)} | {q for p in files_of(root) for q in p.parents})
    folders = [folder for folder in inner if root in folder.parents] or [root]
    folder = chance.choice(folders)
    names = sorted(WITHIN if folder == root else {**WITHIN, **INSTEAD})
    name = chance.choice(names)
    for each in files_of(folder):
        if name in INSTEAD and is_text(each):
            touched.text += each.read_bytes().decode("utf-8", "replace")
    touched.add(name, {**WITHIN, **INSTEAD}[name](folder, outside, chance), root)
    touched.rights |= name == RIGHTS


OfFolder = Callable[[Path, Path, random.Random], list[Path]]


def _dropped(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    shutil.rmtree(folder)
    return [folder]


def _folder_renamed(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    names = (f"{folder.name}_old", folder.name.swapcase(), "train", "unknown", f"...{folder.name}", "happy")
    new = folder.with_name(chance.choice(names))
    if not new.exists():
        folder.rename(new)
    return [folder, new]


def _folder_copied(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    new = folder.with_name(folder.name + chance.choice((" (1)", "_copy", " copy", ".bak")))
    if not new.exists():
        shutil.copytree(folder, new, symlinks=True)
    return [new]


def _folder_linked(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    shutil.rmtree(folder)
    folder.symlink_to(outside, target_is_directory=True)
    return [folder]


def _file_instead(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    shutil.rmtree(folder)
    folder.write_bytes(b"I was a folder\n")
    return [folder]


def _deep(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    deepest = folder.joinpath(*(f"d{k}" for k in range(60)))
    deepest.mkdir(parents=True)
    (deepest / "1.png").write_bytes(b"x")
    return [folder / "d0"]


def _closed(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    folder.chmod(chance.choice((0, 0o400, 0o100)))
    return [folder]


def _odd_folder(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    new = folder / chance.choice(FOLDERS)
    new.mkdir()
    (new / "1.png").write_bytes(pictures.png(8, 8))
    return [new]


def _no_archive(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    junk = (("x.zip", b"PK\x03\x04junk"), ("x.tar.gz", b"\x1f\x8bjunk"), ("y.zip", b""), ("labels.tar", b"\0" * 512))
    name, data = chance.choice(junk)
    (folder / name).write_bytes(data)
    return [folder / name]


def _link_to_above(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    (folder / "loop").symlink_to(chance.choice(("..", ".", "../..", "/")))
    return [folder / "loop"]


def _many_empty(folder: Path, outside: Path, chance: random.Random) -> list[Path]:
    for k in range(200):
        (folder / f"e{k}").mkdir(exist_ok=True)
    return []


INSTEAD: dict[str, OfFolder] = {
    "dropped": _dropped,
    "folder renamed": _folder_renamed,
    "folder copied": _folder_copied,
    "a link for a folder": _folder_linked,
    "a file for a folder": _file_instead,
}
WITHIN: dict[str, OfFolder] = {
    "60 folders deep": _deep,
    RIGHTS: _closed,
    "odd folder": _odd_folder,
    "no archive": _no_archive,
    "a link to above": _link_to_above,
    "200 empty folders": _many_empty,
}
