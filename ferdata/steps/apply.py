"""Apply: the decisions of ledgers written into a manifest: `reviewed_label`, `review`, and `target` that follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferdata import manifest as manifests
from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger as ledgers
from ferdata.reviewing.agreement import Agreement, agreement
from ferdata.reviewing.apply_decisions import DECISION_COLUMNS, Ask, resolved, verdict, write_verdict
from ferdata.reviewing.ledger import Dispute


@dataclass(frozen=True)
class Applied:
    """What ledgers of `decisions` did to a manifest: `reviewed` rows carry one now, `changed` another target.

    `without` counts reviewed rows without a target, by what was decided; `elsewhere` are pictures of the ledgers that
    this manifest does not hold. `disputed` pictures were decided differently by several reviewers, `open` ones are left
    so. `written` is False where nothing was to change.
    """

    out: Path
    rows: int
    decisions: int
    pictures: int
    reviewed: int
    changed: int
    without: Mapping[str, int]
    elsewhere: int
    disputed: int
    open: tuple[Dispute, ...]
    agreement: Agreement
    written: bool
    fingerprint: str


def apply(
    manifest: Path | str,
    *,
    ledger: Sequence[Path | str] = (),
    out: Path | str | None = None,
    resolve: str = "latest",
    ask: Ask | None = None,
    force: bool = False,
) -> Applied:
    """Write the decisions of one or more ledgers into a manifest, or, with `out`, into another one.

    `ledger` defaults to `decisions.jsonl` beside the manifest. A decision goes to every row with the same pixels,
    whatever dataset, release or container they came in; a mirrored copy has other pixels. Rows without a
    decision are not changed. If reviewers differ, `resolve` takes the `latest` decision or the `majority`'s, or calls
    `ask`, whose answers go to the first ledger; an open dispute keeps its published label.
    Raises BadOption, BrokenSource, NotAManifest, AlreadyExists, CannotWrite.
    """
    opened = Manifest(Path(manifest))
    target = Path(out) if out is not None else None
    if target is not None:
        manifests.check_output(target, force, [opened.path])
    paths = [Path(p) for p in ledger] or [ledgers.beside(opened.path)]
    missing = [p for p in paths if not p.is_file()]
    if missing:
        raise BadOption(
            f"There is no ledger {missing[0]}.",
            f"Decide first: ferdata review {opened.path}, then ferdata review pull {opened.path}. "
            "Or give the path of a ledger with --ledger.",
        )
    decisions, standing = resolved(paths, resolve, ask)
    with ledgers.locked(target or opened.path):  # two applies into one manifest, one after the other
        opened = Manifest(opened.path)
        found = verdict(
            opened.table(*DECISION_COLUMNS), standing, opened.maps, opened.metadata["vote_policy"], opened.taxonomy
        )  # fmt: skip
        written = not found.same or target is not None
        fingerprint = opened.fingerprint
        if written:
            fingerprint = write_verdict(opened, found, target or opened.path, paths, decisions, resolve)
    return Applied(
        out=target or opened.path,
        rows=opened.rows,
        decisions=len({d.id for d in decisions}),
        pictures=sum(d is not None for d in standing.decided.values()),
        reviewed=found.rows,
        changed=found.changed,
        without=found.without,
        elsewhere=found.elsewhere,
        disputed=standing.disputed,
        open=standing.open,
        agreement=agreement(decisions),
        written=written,
        fingerprint=fingerprint,
    )
