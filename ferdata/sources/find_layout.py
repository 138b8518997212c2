"""Which of a dataset's layouts lies in a folder; and where none does, what is there instead, and what to do."""

from collections.abc import Callable
from pathlib import Path

from ferdata.errors import NotThisDataset, listed
from ferdata.sources import archives
from ferdata.sources.declaration import Layout, Source
from ferdata.sources.recognise import recognise

LooksLike = Callable[[Path], list[str]]  # the names of the datasets whose layout lies in a folder


def find_layout(source: Source, root: Path, place: Path, looks_like: LooksLike) -> tuple[Layout, Path]:
    """Return the layout as the adapter declares it, and its base. Raises NotThisDataset."""
    found = recognise(source, root)
    if found is None:
        holds = listed(sorted(p.name for p in place.iterdir()) if place.is_dir() else ()) or "nothing"
        what = "nothing to read" if source.generic else f"no known layout of {source.name}"
        raise NotThisDataset(f"{place} holds {what}. It holds: {holds}.", _instead(source, root, place, looks_like))
    return found


def _instead(source: Source, root: Path, place: Path, looks_like: LooksLike) -> str:
    """Return what to do where no layout was found: what else is there, or what was looked for."""
    if closed := closed_archives(root):
        return closed
    looked_for = "; ".join(layout.marks_in_words() for layout in source.layouts if layout.marks)
    if source.generic:
        looked_for = {
            "csv": "a table, such as labels.csv with a header line, beside the images that it names",
            "detection": "a YOLO export (images/, labels/, data.yaml), COCO's JSON or Pascal VOC's XML",
            "hf": "shards (train-00000-of-00001.parquet), a metadata.csv or .jsonl beside images, or WebDataset tars",
        }.get(source.name, "folders named after classes with images in them, such as happy/1.png")
        return f"Looked for {looked_for}."
    if others := looks_like(root):
        return f"This looks like {' or '.join(others)}: ferdata ingest {others[0]} --root {place}"
    return f"Looked for: {looked_for}. For other layouts there are `ferdata ingest folder` and `csv`."


def closed_archives(root: Path) -> str | None:
    """Return what to do about archives that are not read here; None where there are none."""
    found = [path.relative_to(root).as_posix() for path in archives.foreign(root)]
    read = "only complete .zip and .tar archives can be read"
    return f"Unpack {listed(found, 3)} by hand: {read}." if found else None


def better_as(source: Source, place: Path) -> str:
    """Return what is lost where a published dataset is read as anybody's, and how to read it as what it is."""
    return (
        f"This looks like {source.title}. Read as anybody's, it has no people, clips or official splits, so that one "
        f"person may be in train and in test. Better: ferdata ingest {source.name} --root {place}"
    )
