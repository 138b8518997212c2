"""What a shared file holds, and its reader, which believes none of it: somebody else wrote it.

A shared file says which adapters read which datasets, and with which of the adapters' own options. It may set nothing
else of an ingest, name no file outside a dataset's folder, and is refused where any part of it has another form than
here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ferdata.adapters import load, names
from ferdata.errors import BadOption, BrokenSource
from ferdata.labels import EMOTIONS, Taxonomy
from ferdata.manifest import metadata
from ferdata.manifest.metadata import LABELS, check_name, get, is_a, only, shown
from ferdata.reviewing.ledger import DECISIONS
from ferdata.running.documents import check_plain, read_json
from ferdata.schema import BY_NAME, SPLITS, arrow_type
from ferdata.sources.declaration import Option, Source
from ferdata.sources.recognise import leads_out
from ferdata.splitting.rules import REASONS as NO_SPLIT

FORMAT = "ferdata share 1"
# Who a row is, and what was decided about it. Votes and other publishers' annotations stay with their publishers.
ROWS = (
    "sample_id",
    "pixel_hash",
    "label",
    "target",
    "picture",
    "group",
    "split",
    "fold",
    "split_reason",
    "reviewed_label",
    "review",
)
PARTS = ("format", "fingerprint", "vote_policy", "taxonomy", "sources", "lineage", "rows")
# Adapters' options that no file is opened by: what a publisher's table has before each path, to be cut off.
NEVER_OPENED = ("strip_prefix",)
# What a shared file holds of ingest's own options, and nobody reads: each machine keeps its images as suits it, and the
# policy is the shared file's own.
PASSED_OVER = ("images", "votes")
LARGEST = 512 << 20  # bytes; a million rows have 300 MB
WORDS: Mapping[str, tuple[str | None, ...]] = {
    "label": EMOTIONS,
    "split": SPLITS,
    "split_reason": NO_SPLIT,
    "reviewed_label": DECISIONS,
}


@dataclass(frozen=True)
class Part:
    """One dataset of a shared file: its adapter and options; `labels` is its label map, where it had its own."""

    dataset: str
    adapter: str
    options: Mapping[str, str | None]
    labels: Mapping[str, str] | None


@dataclass(frozen=True)
class SharedFile:
    """A shared file that has the form of one; `parts` are its datasets in the order of the manifest's rows."""

    fingerprint: str
    vote_policy: str
    taxonomy: Taxonomy
    sources: Mapping[str, dict[str, Any]]
    lineage: list[Mapping[str, Any]]
    parts: tuple[Part, ...]
    rows: pa.Table


def read(path: Path) -> SharedFile:
    """Read a shared file. Raises BadOption where there is no file, BrokenSource for one that is no shared file."""
    try:
        return parse(read_json(path, LARGEST))
    except OSError as error:
        raise BadOption(f"Cannot read {path}: {error.strerror}.", "Check the path.") from None
    except ValueError as error:
        raise BrokenSource(
            f"{path} is not a shared file that this ferdata can read: {error}.",
            "Ask the sender for a new one, made with `ferdata share M -o shared.json`. If that is refused too, the "
            "sender has another version of ferdata, or adapters that are not installed here.",
        ) from None


def parse(document: Any) -> SharedFile:
    """Return a document's parts. Raises ValueError, which says where and what, as all of the below do."""
    whole = is_a(document, dict, "it")
    if whole.get("format") != FORMAT:
        raise ValueError(f"its format is {shown(whole.get('format'))}, expected {FORMAT!r}")
    only(whole, PARTS, "it")
    check_plain({name: part for name, part in whole.items() if name != "rows"})
    policy = metadata.check_policy(whole)
    taxonomy = metadata.taxonomy(get(whole, "taxonomy", dict, "it"))
    sources = get(whole, "sources", dict, "it")
    for name, source in sources.items():
        metadata.check_source(source, f"sources.{check_name(name, 'a name in sources')}")
    lineage = get(whole, "lineage", list, "it")
    parts = tuple(
        _part(step, where, sources) for where, step in metadata.steps(lineage, "lineage") if step["step"] == "ingest"
    )
    if sorted(part.dataset for part in parts) != sorted(sources):
        read_from = ", ".join(part.dataset for part in parts) or "nothing"
        raise ValueError(f"its lineage reads {read_from}, and its sources are {', '.join(sources) or 'none'}")
    rows = _rows(get(whole, "rows", dict, "it"), sources)
    return SharedFile(get(whole, "fingerprint", str, "it"), policy, taxonomy, sources, lineage, parts, rows)


def _part(step: Mapping[str, Any], where: str, sources: Mapping[str, Any]) -> Part:
    adapter = get(step, "adapter", str, where)
    dataset = check_name(get(step, "dataset", str, where), f"{where}.dataset")
    if adapter not in names():
        raise ValueError(f"{where}.adapter is {shown(adapter)}, which is not one of this ferdata's")
    declared = load(adapter).SOURCE
    options = dict(_options(declared, step["options"], f"{where}.options"))
    called = options.get("name") or declared.name
    if dataset != called:
        raise ValueError(f"{where}.dataset is {shown(dataset)}, where {shown(called)} is read")
    if dataset not in sources:
        raise ValueError(f"{where}.dataset is {shown(dataset)}, which is not one of its sources")
    files = [option.name for option in declared.options if _is_label_map(option)]
    mapped = [name for name in files if options.pop(name, None)]
    return Part(dataset, adapter, options, sources[dataset][LABELS] if mapped else None)


def _is_label_map(option: Option) -> bool:
    return option.name == LABELS and not option.choices


def _options(declared: Source, given: Mapping[str, Any], where: str) -> Iterator[tuple[str, str | None]]:
    known = {option.name: option for option in declared.options}
    for name, value in given.items():
        if name in known:
            yield name, None if value is None else _value(known[name], value, f"{where}.{name}")
        elif name not in PASSED_OVER:
            own = ", ".join(known) or "none"
            raise ValueError(f"{where} sets {shown(name)}, but it may set only the options of {declared.name} ({own})")


def _value(option: Option, given: Any, where: str) -> str:
    value = is_a(given, str, where)
    if option.choices and value not in option.choices:
        raise ValueError(f"{where} is {shown(value)}, not one of {', '.join(option.choices)}")
    free = option.choices or option.name in NEVER_OPENED or _is_label_map(option)
    if not free and leads_out(value):
        raise ValueError(f"{where} is {shown(value)}, but a shared file may not name files outside a dataset's folder")
    return value


def _rows(given: Mapping[str, Any], sources: Mapping[str, Any]) -> pa.Table:
    only(given, ROWS, "rows")
    lengths = {name: len(get(given, name, list, "rows")) for name in ROWS}
    for name, length in lengths.items():
        if length != lengths["sample_id"]:
            raise ValueError(f"rows.{name} has {length:,} values, and rows.sample_id {lengths['sample_id']:,}")
    table = pa.table({name: _column(name, given[name]) for name in ROWS})
    ids = given["sample_id"]
    if not ids or len(set(ids)) < len(ids):
        raise ValueError("it has no rows" if not ids else "rows.sample_id holds an id twice")
    if strangers := {i.partition(":")[0] for i in ids} - set(sources):
        raise ValueError(f"rows.sample_id holds rows of {shown(min(strangers))}, which is not one of its sources")
    return table


def _column(name: str, values: list[Any]) -> pa.Array:
    where, kind = f"rows.{name}", arrow_type(BY_NAME[name])
    try:
        column = pa.array(values, kind)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{where}: {str(error).splitlines()[0]}") from None
    if column.to_pylist() != values:  # Arrow takes 1.5 for 1, and passes over what a struct has beside its fields
        raise ValueError(f"{where} holds a value that is not {kind}")
    if BY_NAME[name].required and column.null_count:
        raise ValueError(f"{where} lacks {column.null_count:,} of its values")
    if name in WORDS and (strangers := {*values} - {None, *WORDS[name]}):
        raise ValueError(f"{where} holds {shown(min(strangers))}, not one of {', '.join(filter(None, WORDS[name]))}")
    if pa.types.is_integer(kind) and (pc.min(column).as_py() or 0) < 0:
        raise ValueError(f"{where} holds a number below 0")
    return column
