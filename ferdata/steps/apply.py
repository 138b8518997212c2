"""Apply: the decisions of ledgers written into a manifest: `reviewed_label`, `review`, and `target` that follows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ferdata import manifest as files
from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger as ledgers
from ferdata.reviewing.apply_decisions import READ, Verdict, verdict
from ferdata.reviewing.ledger import Agreement, Decision, Dispute
from ferdata.running import progress
from ferdata.schema import arrow_schema

Ask = Callable[[Dispute], Decision | None]


@dataclass(frozen=True)
class Applied:
    """What ledgers of `decisions` did to a manifest: `reviewed` rows carry one now, `changed` another target.

    `without` counts reviewed rows without a target, by what was decided; `elsewhere` are pictures of the ledgers that
    this manifest does not hold. `disputed` pictures were told differently by several reviewers, `open` ones are left
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
    whatever dataset, release or container they came in; a mirrored copy has other pixels. Rows that no ledger speaks
    of stay as they are. Where reviewers differ, `resolve` takes the `latest` decision or the `majority`'s, or calls
    `ask`, whose answers go to the first ledger. Raises BadOption, BrokenSource, NotAManifest, AlreadyExists,
    CannotWrite.
    """
    opened = Manifest(Path(manifest))
    target = Path(out) if out is not None else None
    if target is not None:
        files.check_output(target, force, [opened.path])
    paths = [Path(p) for p in ledger] or [ledgers.beside(opened.path)]
    missing = [p for p in paths if not p.is_file()]
    if missing:
        raise BadOption(
            f"There is no ledger {missing[0]}.",
            f"Decide first: ferdata review {opened.path}, then ferdata review pull {opened.path}. "
            "Or name one with --ledger.",
        )
    asked: list[Decision] = []
    decisions = [d for path in paths for d in ledgers.read(path)]
    standing = ledgers.resolve(decisions, resolve, _kept(ask, asked) if ask else None)
    if asked:
        with ledgers.locked(paths[0]):
            decisions += ledgers.append(paths[0], asked)
    with ledgers.locked(opened.path):  # two applies of one manifest, one after the other
        opened = Manifest(opened.path)
        found = verdict(
            opened.table(*READ), standing, opened.maps, opened.metadata["vote_policy"], opened.taxonomy
        )  # fmt: skip
        written = not found.same or target is not None
        fingerprint = _write(opened, found, target, paths, decisions, resolve) if written else opened.fingerprint
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
        agreement=ledgers.agreement(decisions),
        written=written,
        fingerprint=fingerprint,
    )


def _kept(ask: Ask, asked: list[Decision]) -> Ask:
    def keep(dispute: Dispute) -> Decision | None:
        answer = ask(dispute)
        if answer is not None:
            asked.append(answer)
        return answer

    return keep


def _write(
    opened: Manifest,
    found: Verdict,
    target: Path | None,
    paths: Sequence[Path],
    decisions: Sequence[Decision],
    how: str,
) -> str:
    out = target or opened.path
    sources = {
        name: source | {"root": files.moved_root(opened, name, out)} for name, source in opened.sources.items()
    }  # fmt: skip
    options = {"ledger": [p.name for p in paths], "resolve": how}
    counted = {"decisions": len({d.id for d in decisions}), "reviewed": found.rows, "without_target": found.without}
    record = files.step_record("review", options, [opened], rows_in=opened.rows, rows_out=opened.rows, **counted)
    lineage = opened.metadata["lineage"]
    if len(lineage) == 1 and lineage[0]["step"] == "review":
        record["inputs"] = lineage[0]["inputs"]  # a ledger that grows is one review, not one on top of another
    metadata = {
        "sources": sources,
        "vote_policy": opened.metadata["vote_policy"],
        "taxonomy": opened.metadata["taxonomy"],
        "lineage": [record],
    }
    return str(files.write(out, _rows(opened, found.columns), metadata, force=True)["fingerprint"])


def _rows(opened: Manifest, new: Mapping[str, pa.Array]) -> Iterator[pa.RecordBatch]:
    """Stream the rows with the columns `new` in place of their own."""
    at = 0
    schema = arrow_schema()
    with progress.bar("writing", opened.rows) as advance:
        for batch in opened.batches():
            held = {name: batch.column(name) for name in batch.schema.names}
            held |= {name: column.slice(at, batch.num_rows) for name, column in new.items()}
            fields = [f for f in schema if f.name in held]
            yield pa.RecordBatch.from_arrays([held[f.name] for f in fields], schema=pa.schema(fields))
            at += batch.num_rows
            advance(batch.num_rows)
