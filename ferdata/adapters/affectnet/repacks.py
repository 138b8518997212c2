"""AffectNet's repacks: class folders, most below those of the splits, some with a table of other labels beside them.

That table, `labels.csv`, has the columns pth (`anger/image0000006.jpg`) and label; what the folders say is an older
round of labels, it seems, but nothing in the files says so.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ferdata.errors import UnknownLabel
from ferdata.sources import (
    Layout,
    Sample,
    Skipped,
    broken,
    images_below,
    meaning,
    read_rows,
    read_table,
    relative,
    split_of,
)
from ferdata.sources.labels_from import BOTH, FOLDERS, TABLE, Disagreement, check_agreement, check_possible
from ferdata.sources.spelling import spelled

NAME, PICTURE, LABEL = "labels.csv", "pth", "label"
# Words that repacks use for the ids 8, 9 and 10.
REST = {"none": "other", "uncertain": "uncertain", "non-face": "not_a_face", "nonface": "not_a_face"}
SAYS = {
    BOTH: "as their folders do",
    TABLE: "whose labels are used; the others have none",
    FOLDERS: "whose labels are not used",
}


def prepare(base: Path, layout: Layout, labels_from: str) -> Layout:
    """Return the layout with the labels that count mapped, and what the table is in its note.

    Raises UnknownLabel, BadOption without a table to choose, BrokenSource where the two disagree and none is chosen.
    """
    images = images_below(base)
    table = _table(base, images)
    check_possible(labels_from, table is not None, str(base))
    names = {folder for path in images if (folder := _folder(path, base)) is not None}
    folders = layout.labels or ({} if labels_from == TABLE else _mapped(names, base, "class folders"))
    if table is None:
        unread = f" {NAME} is not read: it has no columns {PICTURE} and {LABEL}."
        return replace(layout, labels=folders, note=layout.note + (unread if spelled(base, NAME).is_file() else ""))
    words = {} if labels_from == FOLDERS else _words(table, layout)
    if labels_from == BOTH:
        check_agreement(list(_disagreements(table, base, {**words, **folders})), len(table.lines))
    note = f"{layout.note} {NAME} labels {len(table.labels):,} of {len(images):,} pictures, {SAYS[labels_from]}."
    if labels_from == TABLE and table.unclear:
        note += f" {table.unclear:,} have none because their line fits several pictures."
    return replace(layout, labels=words if labels_from == TABLE else folders, note=note)


def _words(table: "_Table", layout: Layout) -> dict[str, str]:
    """Return what the table's labels mean: a number is one of the publishers' ids where the folders are."""
    ids = {word: layout.labels[word] for word in table.words & layout.labels.keys()}
    return ids | _mapped(table.words - layout.labels.keys(), table.path, "labels")


def samples(base: Path, layout: Layout, labels_from: str) -> Iterator[Sample | Skipped]:
    """Yield every picture; one in no class folder, or in no line of a table that counts, comes without a label."""
    images = images_below(base)
    table = _table(base, images) if labels_from == TABLE else None
    labels = table.labels if table else {}
    for path in images:
        name = relative(path, base)
        if table:
            label = labels.get(path)
        elif (label := _folder(path, base)) is not None and label not in layout.labels:
            raise UnknownLabel(
                f"{path.parent} is a class folder of unknown meaning.",
                f"Known folders: {', '.join(layout.labels)}. Remove what does not belong to the dataset.",
            )
        parts = path.relative_to(base).parts[:-1]
        split = next((found for part in parts if (found := split_of(part))), None)
        yield Sample(name, name, native_label=label, official_split=split)
    for line in table.without_picture if table else ():
        yield Skipped(f"{NAME}:{line}", "a line whose picture is not there")


def _folder(path: Path, base: Path) -> str | None:
    """Return the class folder that a picture lies in."""
    parts = path.relative_to(base).parts[:-1]
    return parts[-1] if parts and not split_of(parts[-1]) else None


def _mapped(words: set[str], where: Path, what: str) -> dict[str, str]:
    """Return what each word means. Raises UnknownLabel."""
    mapped = {word: meaning(word, REST) for word in sorted(words)}
    if strangers := [word for word, means in mapped.items() if means is None]:
        raise UnknownLabel(
            f"{where} has {what} of unknown meaning: {', '.join(map(repr, strangers[:12]))}.",
            "Read it with `ferdata ingest folder --name affectnet --labels FILE`, where FILE says what they mean.",
        )
    return {word: means for word, means in mapped.items() if means}


@dataclass(frozen=True)
class _Table:
    """The table beside the folders, joined to the pictures.

    `lines` are those that have a picture, or several that fit: then it is not known which one is meant, and none has
    the label (`unclear` of them).
    """

    path: Path
    words: set[str]
    lines: dict[int, tuple[str, list[Path]]]
    without_picture: list[int]

    @property
    def labels(self) -> dict[Path, str]:
        """The label of each picture that a line is sure to mean."""
        return {found[0]: word for word, found in self.lines.values() if len(found) == 1}

    @property
    def unclear(self) -> int:
        """How many pictures fit a line that others fit, too."""
        return sum(len(found) for _, found in self.lines.values() if len(found) > 1)


def _table(base: Path, images: list[Path]) -> _Table | None:
    path = spelled(base, NAME)
    if not path.is_file() or not {PICTURE, LABEL} <= {cell.strip() for cell in next(read_rows(path), (0, []))[1]}:
        return None
    near: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        near["/".join(image.parts[-2:]).casefold()].append(image)
    table, seen = _Table(path, set(), {}, []), set[str]()
    for line, cells in read_table(path, PICTURE, LABEL):
        name = cells[PICTURE].strip().replace("\\", "/").casefold()
        if name in seen:
            raise broken(path, line, f"{name} for the second time")
        seen.add(name)
        fitting = near.get("/".join(name.split("/")[-2:]), [])
        found = [image for image in fitting if f"/{relative(image, base).casefold()}".endswith(f"/{name}")]
        table.words.add(cells[LABEL].strip())
        if found:
            table.lines[line] = cells[LABEL].strip(), found
        else:
            table.without_picture.append(line)
    return table


def _disagreements(table: _Table, base: Path, means: dict[str, str]) -> Iterator[Disagreement]:
    for line, (word, found) in table.lines.items():
        for image in found:
            folder = _folder(image, base)
            if folder is not None and means.get(folder) != means[word]:
                yield Disagreement(f"{table.path}:{line}", relative(image, base), word, folder)
                break
