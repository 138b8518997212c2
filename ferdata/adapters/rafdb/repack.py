"""RAF-DB's repack on Kaggle: the aligned images in folders by split and class, and a table for each split."""

from collections.abc import Iterator
from pathlib import Path

from ferdata.adapters.rafdb.names import SPLITS, split_in_name
from ferdata.sources import Layout, Sample, Skipped, broken, images_below, known, read_table, relative
from ferdata.sources.labels_from import BOTH, TABLE, Disagreement, check_agreement, check_possible
from ferdata.sources.spelling import spelled

Lines = dict[str, tuple[int, str]]  # image name -> line of the table, code


def samples(base: Path, layout: Layout, labels_from: str) -> Iterator[Sample | Skipped]:
    """Read the class folders; where a table lies beside them, an image that it does not list is left out.

    Raises BrokenSource where a table gives another code than the folders, unless `labels_from` chooses.
    """
    tables = {split: path for split in SPLITS if (path := _table(base, split))}
    lines = {split: _read(path, layout) for split, path in tables.items()}
    images = {split: images_below(spelled(base, split)) for split in SPLITS}
    check_possible(labels_from, bool(tables), str(base))
    if labels_from == BOTH:
        check_agreement(list(_disagreements(tables, lines, images)), sum(map(len, lines.values())))
    for split in SPLITS:
        left = dict(lines.get(split, {}))
        for path in images[split]:
            label = path.parent.name
            if split in tables:
                line, code = left.pop(path.name, (0, ""))
                if not line:  # the best-known repack has augmented copies, of test images too, in train
                    yield Skipped(relative(path, base), f"no line in {tables[split].name}: is it an added copy?")
                    continue
                label = code if labels_from == TABLE else label
            key = path.stem.removesuffix("_aligned")
            yield Sample(key, relative(path, base), native_label=label, official_split=split)
        for name, (_, code) in left.items():  # their images are missing
            key = name.rpartition(".")[0].removesuffix("_aligned")
            yield Sample(key, f"{split}/{code}/{name}", native_label=code, official_split=split)


def _table(base: Path, split: str) -> Path | None:
    name = f"{split}_labels.csv"
    return next((path for near in (base, base.parent) if (path := spelled(near, name)).is_file()), None)


def _read(path: Path, layout: Layout) -> Lines:
    rows: Lines = {}
    for line, cells in read_table(path, "image", "label"):
        name = cells["image"].strip()
        split_in_name(name, path, line)
        if name in rows:
            raise broken(path, line, f"{name} for the second time")
        rows[name] = line, known(cells["label"].strip(), layout, path, line)
    return rows


def _disagreements(
    tables: dict[str, Path], lines: dict[str, Lines], images: dict[str, list[Path]]
) -> Iterator[Disagreement]:
    for split, table in tables.items():
        left = dict(lines[split])
        for path in images[split]:
            line, code = left.pop(path.name, (0, ""))
            if line and code != path.parent.name:
                yield Disagreement(f"{table}:{line}", path.name, code, path.parent.name)
