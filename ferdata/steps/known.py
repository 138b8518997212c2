"""Known: which indexes of known faces there are; any manifest of the user's becomes one, and goes again."""

from dataclasses import dataclass
from pathlib import Path

from ferdata.errors import AlreadyExists, BadOption, choose_one
from ferdata.known import index
from ferdata.manifest import Manifest
from ferdata.schema import NAME_RULE, SPLITS, is_dataset_name


@dataclass(frozen=True)
class Listed:
    """An index: how many rows it has, by official split, where it is, and whether it is the user's own."""

    name: str
    title: str
    rows: int
    splits: dict[str, int]
    path: Path
    own: bool


def known() -> list[Listed]:
    """Return every index, by name. Raises BrokenSource for a file that is none."""
    return [_listed(name, path) for name, path in sorted(index.files().items())]


def add(manifest: Path | str, name: str | None = None, force: bool = False) -> Listed:
    """Make an index of a manifest's rows, of hashes alone, and keep it for `ingest`; return it.

    `name` is the dataset's by default. An index of the user's takes the place of the package's of that name. Raises
    NotAManifest, BadOption, AlreadyExists, CannotWrite.
    """
    opened = Manifest(manifest)
    # What anybody may have put together has a title of its form alone ("Class folders"), and nothing to cite.
    titles = [str(source["title"]) if source["citation"] else each for each, source in opened.sources.items()]
    chosen = name or (next(iter(opened.sources)) if len(opened.sources) == 1 else "")
    if not chosen:
        raise BadOption(f"{opened.path} holds {len(opened.sources)} datasets.", "Name the index: --name NAME")
    if not is_dataset_name(chosen):
        raise BadOption(f"--name cannot be {chosen!r}.", f"A name is {NAME_RULE}.")
    path = index.folder() / f"{chosen}.parquet"
    if path.exists() and not force:
        raise AlreadyExists(
            f"There is an index {chosen} already.", "Add --force to replace it, or choose another --name."
        )
    table = opened.table("sample_id", "pixel_hash", "phash", "official_split")
    index.write(path, index.of_rows(chosen, " and ".join(titles), table))
    return _listed(chosen, path)


def remove(name: str) -> Path:
    """Remove an index of the user's; return where it was. Raises BadOption for one that is not there, or not theirs."""
    path = index.folder() / f"{name}.parquet"
    if not is_dataset_name(name) or not path.is_file():
        own = [listed for listed, place in index.files().items() if place.parent == index.folder()]
        raise BadOption(
            f"There is no index {name!r} of yours.", choose_one(name, own) if own else "You have added none."
        )
    path.unlink()
    return path


def _listed(name: str, path: Path) -> Listed:
    found = index.read(name, path)
    codes = [split for split in SPLITS if (found.split == SPLITS.index(split)).any()]
    counts = {split: int((found.split == SPLITS.index(split)).sum()) for split in codes}
    return Listed(name, found.title, len(found), counts, path, path.parent == index.folder())
