"""`ferdata train` on a manifest that was only ingested: merged first, by merge's defaults, into the run folder."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ferdata.cli.output import by_reason
from ferdata.cli.split_report import REASONS
from ferdata.errors import AlreadyExists, FerdataError
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS
from ferdata.splitting.rules import Rules
from ferdata.steps.merge import Merged, merge
from ferdata.steps.split import options

NAME = "manifest.parquet"  # in the run's folder
Say = Callable[[str], None]


@contextmanager
def merged_first(manifest: Path, run: Path, resume: bool, force: bool, dry_run: bool, say: Say) -> Iterator[Path]:
    """Yield the manifest to train on: `manifest`, or what `ferdata merge` makes of it where it was only ingested.

    So an official test stays whole, val is taken from train, and copies and people stay in one split. It is written to
    the run's folder and kept there for `resume`; under `dry_run` to a folder that goes when the block ends. Says in
    three lines what was done. Raises AlreadyExists where another manifest stands in its place, unless `force`, and
    what `ferdata.steps.merge.merge` raises.
    """
    opened = Manifest(manifest)
    if not only_ingested(opened) or (resume and not (run / NAME).exists()):
        yield manifest
    elif dry_run:
        with TemporaryDirectory(prefix="ferdata-") as folder:
            made = Path(folder) / NAME
            _merge(opened, made, force, say)
            try:
                yield made
            except FerdataError as error:  # advice about a file that goes now is of no use
                error.message = error.message.replace(str(made), str(manifest))
                error.hint = error.hint.replace(f"ferdata split {made}", f"ferdata merge {manifest}")
                raise
    else:
        target = run / NAME
        if target.exists() and _is_of(target, opened):
            say(f"{target}: {manifest} with splits, from an earlier merge.")
        else:
            _merge(opened, target, force and not resume, say)
        yield target


def only_ingested(opened: Manifest) -> bool:
    """Say whether no step has made groups or splits yet; where one has, that was somebody's decision."""
    table = opened.table("group", "split")
    return all(table[name].null_count == opened.rows for name in table.column_names)


def _is_of(target: Path, opened: Manifest) -> bool:
    """Say whether `target` is what a merge without options makes of the manifest as it is now."""
    for made in Manifest(target).metadata["lineage"][-1:]:
        same = [source["fingerprint"] for source in made["inputs"]] == [opened.fingerprint]
        return made["step"] == "merge" and same and options(Rules()).items() <= made["options"].items()
    return False


def _merge(opened: Manifest, target: Path, force: bool, say: Say) -> None:
    if target.exists() and not force:
        raise AlreadyExists(
            f"{target} already exists, and is not the result of `ferdata merge {opened.path}`.",
            "Choose another --out, or add --force to replace it.",
        )
    say(f"{opened.path} has no splits yet: merging it with the defaults of `ferdata merge` into {target}")
    for line in told(merge(opened.path, out=target, force=force)):
        say(line)


def told(result: Merged) -> list[str]:
    """Return in two lines where the rows stand, and what has kept copies and people together."""
    parts = result.parts.values()
    rows = {split: sum(getattr(part, split) for part in parts) for split in SPLITS}
    from_train = sum(part.moved.get("val_from_train", 0) for part in parts)
    official = any(part.official_test for part in parts)
    whole = all(part.test_is_official for part in parts if part.official_test)
    excluded: Counter[str] = Counter()
    for part in parts:
        excluded.update({REASONS[reason]: n for reason, n in part.left_out.items()})
    val = " sampled from train" if from_train else ""
    test = ("the official test, complete" if whole else "of the official test") if official else "no official test"
    return [
        f"Splits: {rows['train']:,} train, {rows['val']:,} val{val}, {rows['test']:,} test ({test})"
        + (f"; excluded: {by_reason(excluded)}" if excluded else ""),
        f"Duplicates, people and clips stay in one split: {result.groups:,} groups of {result.rows:,} rows. "
        "--as-is trains on the manifest without merging.",
    ]
