"""Pull: what reviewers decided in the App, appended to the ledger beside the manifest, and applied to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger as ledgers
from ferdata.reviewing.apply_decisions import Ask
from ferdata.reviewing.fiftyone import dataset as sets
from ferdata.reviewing.fiftyone import decide, start, to_ledger
from ferdata.reviewing.fiftyone.decide import INFO, Strange
from ferdata.steps.apply import Applied, apply


@dataclass(frozen=True)
class Pulled:
    """What came back: `new` decisions the ledger did not have, and what applying all of it did (None without any).

    `strange` ground truths are no decisions and stay in the App. `stale` says that FiftyOne shows an older version of
    the manifest, `unknown` how many of the new decisions are about pictures that it does not hold.
    """

    ledger: Path
    new: int
    relabelled: int
    confirmed: int
    withdrawn: int
    strange: tuple[Strange, ...]
    stale: bool
    unknown: int
    applied: Applied | None


def pull(
    manifest: Path | str,
    *,
    ledger: Path | str | None = None,
    by: str | None = None,
    resolve: str = "latest",
    ask: Ask | None = None,
) -> Pulled:
    """Append a manifest's decisions in FiftyOne to its ledger, and apply the ledger to the manifest.

    `ledger` defaults to `decisions.jsonl` beside the manifest. `by` names who edited in the Annotate tab, where it
    was not who opened the review. Each decision is written once, however often it is pulled, and whatever is killed
    in between. Raises MissingExtra, NoDatabase, BadOption, NotAManifest, BrokenSource, CannotWrite.
    """
    opened = Manifest(Path(manifest))
    path = Path(ledger) if ledger else ledgers.beside(opened.path)
    fo = start.start()
    with start.watched():
        dataset = sets.of(fo, opened.path)
        if dataset is None:
            raise BadOption(
                f"{opened.path} is not in FiftyOne.", f"Open it first: ferdata review {opened.path}\nIf the manifest "
                    f"was moved after that, find its dataset with `ferdata review --list`.",
            )  # fmt: skip
        strange = decide.harvest(dataset, by)
        with ledgers.locked(path):
            if by:  # the App has harvested too, and knows only who opened it
                to_ledger.attribute(dataset, by)
            known = {d.id for d in ledgers.read(path)}
            fresh = ledgers.append(path, to_ledger.pending(dataset, known))
            to_ledger.pulled(dataset, known | {d.id for d in fresh})
        applied = None
        info = dict(dataset.info.get(INFO) or {})
        stale = opened.fingerprint not in (info.get("fingerprint"), info.get("applied"))
        unknown = _unknown(opened, fresh)
        if path.is_file():
            applied = apply(opened.path, ledger=[path], resolve=resolve, ask=ask)
            if not stale:
                _note(dataset, applied.fingerprint)
    counts = {status: sum(d.status == status for d in fresh) for status in ledgers.STATUSES}
    return Pulled(
        path, len(fresh), counts["relabelled"], counts["confirmed"], counts["withdrawn"], tuple(strange), stale,
        unknown, applied,
    )  # fmt: skip


def _unknown(opened: Manifest, fresh: Sequence[ledgers.Decision]) -> int:
    if not fresh:
        return 0
    here = set(opened.table("pixel_hash")["pixel_hash"].unique().to_pylist())
    return len({d.pixel_hash for d in fresh} - here)


def _note(dataset: Any, fingerprint: str) -> None:
    """Remember what the manifest became by our own hand, so that it does not look like another version."""
    dataset.info[INFO] = {**dataset.info[INFO], "applied": fingerprint}
    dataset.save()
