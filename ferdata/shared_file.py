"""What a shared file holds, and its reader, which believes none of it: somebody else wrote it.

A shared file says which adapters read which datasets, and with which of the adapters' own options. It may set nothing
else of an ingest, name no file outside a dataset's folder, and is refused where any part of it has another form than
here.
"""

import json
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from ferdata.adapters import load, names
from ferdata.errors import BadOption, BrokenSource
from ferdata.labels import EMOTIONS, POLICIES, Taxonomy
from ferdata.labels import REASONS as NO_LABEL
from ferdata.reviewing.ledger import DECISIONS
from ferdata.running.plain_file import read_plain
from ferdata.schema import BY_NAME, NAME_RULE, SPLITS, arrow_type, is_dataset_name
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
# The adapters' option that names a file of the sender's: what was in it stands in the sources, as `labels`.
LABELS = "labels"
# Adapters' options that no file is opened by: what a publisher's table has before each path, to be cut off.
NEVER_OPENED = ("strip_prefix",)
# What a shared file holds of ingest's own options, and nobody reads: each machine keeps its images as suits it, and the
# policy is the shared file's own.
PASSED_OVER = ("images", "votes")
DEEPEST = 256  # levels of JSON; a manifest made of another takes four
WORDS: Mapping[str, tuple[str | None, ...]] = {
    "label": EMOTIONS,
    "split": SPLITS,
    "split_reason": NO_SPLIT,
    "reviewed_label": DECISIONS,
}
# What must stand in a source, a step of the lineage and an input of one: later steps rely on it.
_SOURCE: Mapping[str, type] = {
    **dict.fromkeys(("title", "homepage", "licence", "citation", "release"), str),
    LABELS: dict,
}
_STEP: Mapping[str, type] = {"step": str, "ferdata": str, "options": dict, "inputs": list}
_INPUT: Mapping[str, type] = {"name": str, "rows": int, "fingerprint": str, "lineage": list}
_KINDS: Mapping[type, str] = {dict: "a table of names and values", list: "a list", str: "text", int: "a whole number"}
T = TypeVar("T")


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
        return parse(json.loads(read_plain(path).decode()))
    except OSError as error:
        raise BadOption(f"Cannot read {path}: {error.strerror}.", "Check the path.") from None
    except (ValueError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise BrokenSource(
            f"{path} is not a shared file that this ferdata can read: {what}.",
            "Ask the sender for a new one, made with `ferdata share M -o shared.json`. If that is refused too, the "
            "sender has another version of ferdata, or adapters that are not installed here.",
        ) from None


def parse(document: Any) -> SharedFile:
    """Return a document's parts. Raises ValueError, which says where and what, as all of the below do."""
    whole = _is(document, dict, "it")
    if whole.get("format") != FORMAT:
        raise ValueError(f"its format is {_shown(whole.get('format'))}, expected {FORMAT!r}")
    _only(whole, PARTS, "it")
    _plain({name: part for name, part in whole.items() if name != "rows"})
    policy = _get(whole, "vote_policy", str, "it")
    if policy not in POLICIES:
        raise ValueError(f"vote_policy is {_shown(policy)}, not one of {', '.join(POLICIES)}")
    taxonomy = _taxonomy(_get(whole, "taxonomy", dict, "it"))
    sources = _get(whole, "sources", dict, "it")
    for name, source in sources.items():
        _source(source, f"sources.{_dataset(name, 'a name in sources')}")
    lineage = _get(whole, "lineage", list, "it")
    parts = tuple(_part(step, where, sources) for where, step in _steps(lineage, "lineage") if step["step"] == "ingest")
    if sorted(part.dataset for part in parts) != sorted(sources):
        read_from = ", ".join(part.dataset for part in parts) or "nothing"
        raise ValueError(f"its lineage reads {read_from}, and its sources are {', '.join(sources) or 'none'}")
    rows = _rows(_get(whole, "rows", dict, "it"), sources)
    return SharedFile(_get(whole, "fingerprint", str, "it"), policy, taxonomy, sources, lineage, parts, rows)


def _shown(value: Any) -> str:
    return reprlib.repr(value)


def _is(value: Any, kind: type[T], where: str) -> T:
    if type(value) is not kind:  # a bool is an int, but no number here
        raise ValueError(f"{where} is {_shown(value)}, expected {_KINDS[kind]}")
    return value


def _get(table: Mapping[str, Any], name: str, kind: type[T], where: str) -> T:
    if name not in table:
        raise ValueError(f"{where} has no {name!r}")
    return _is(table[name], kind, name if where == "it" else f"{where}.{name}")


def _has(table: Any, kinds: Mapping[str, type], where: str) -> None:
    _is(table, dict, where)
    for name, kind in kinds.items():
        _get(table, name, kind, where)


def _only(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    if strangers := [name for name in table if name not in known]:
        raise ValueError(f"{where} holds {_shown(strangers[0])}, which no shared file has")


def _plain(document: Any) -> None:
    """Look through a document level by level: deep ones exhaust what reads them, half characters what writes them."""
    level = [document]
    for _ in range(DEEPEST):
        text = [value for value in level if isinstance(value, str)]
        "".join(text).encode()  # its error says which character it is
        inner = [each for value in level if isinstance(value, dict) for each in (*value, *value.values())]
        level = inner + [each for value in level if isinstance(value, list) for each in value]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _dataset(name: str, where: str) -> str:
    if not is_dataset_name(name):
        raise ValueError(f"{where} is {_shown(name)}, and a dataset's name is {NAME_RULE}")
    return name


def _taxonomy(given: Mapping[str, Any]) -> Taxonomy:
    classes = _get(given, "classes", list, "taxonomy")
    mapping = _get(given, "mapping", dict, "taxonomy")
    for word in (*classes, *mapping.values()):
        _is(word, str, "a class of the taxonomy")
    if not classes or len(set(classes)) < len(classes) or set(mapping.values()) != set(classes):
        raise ValueError(f"taxonomy.classes are {_shown(classes)}, and its mapping leads to {_shown(mapping)}")
    _only(mapping, EMOTIONS, "taxonomy.mapping")
    return Taxonomy(_get(given, "name", str, "taxonomy"), tuple(classes), mapping)


def _source(source: Any, where: str) -> None:
    """Check what `ferdata.sources.declaration.metadata` and ingest say of a dataset."""
    _has(source, _SOURCE, where)
    for field in ("redistribution", "commercial"):
        if source.get(field, "") not in (True, False, None):
            raise ValueError(f"{where}.{field} is {_shown(source.get(field))}, expected true, false or null")
    for native, meaning in source[LABELS].items():
        if meaning not in (*EMOTIONS, *NO_LABEL):
            raise ValueError(f"{where}.{LABELS} takes {_shown(native)} to {_shown(meaning)}, which is not an emotion")
    for difference in _is(source.get("differences", []), list, f"{where}.differences"):
        _is(difference, str, f"a difference in {where}")
    _is(source.get("strange_names", 0), int, f"{where}.strange_names")


def _steps(lineage: list[Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every step that went into a manifest, and where it stands; ingests come in the order of the rows."""
    for i, step in enumerate(lineage):
        here = f"{where}[{i}]"
        _has(step, _STEP, here)
        _is(step.get("rows_out", 0), int, f"{here}.rows_out")
        for name in ("dropped", "without_split"):
            for count in _is(step.get(name, {}), dict, f"{here}.{name}").values():
                _is(count, int, f"a count in {here}.{name}")
        yield here, step
        for j, given in enumerate(step["inputs"]):
            inner = f"{here}.inputs[{j}]"
            _has(given, _INPUT, inner)
            yield from _steps(given["lineage"], f"{inner}.lineage")


def _part(step: Mapping[str, Any], where: str, sources: Mapping[str, Any]) -> Part:
    adapter = _get(step, "adapter", str, where)
    dataset = _dataset(_get(step, "dataset", str, where), f"{where}.dataset")
    if adapter not in names():
        raise ValueError(f"{where}.adapter is {_shown(adapter)}, which is not one of this ferdata's")
    declared = load(adapter).SOURCE
    options = dict(_options(declared, step["options"], f"{where}.options"))
    called = options.get("name") or declared.name
    if dataset != called:
        raise ValueError(f"{where}.dataset is {_shown(dataset)}, where {_shown(called)} is read")
    if dataset not in sources:
        raise ValueError(f"{where}.dataset is {_shown(dataset)}, which is not one of its sources")
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
            raise ValueError(f"{where} sets {_shown(name)}, but it may set only the options of {declared.name} ({own})")


def _value(option: Option, given: Any, where: str) -> str:
    value = _is(given, str, where)
    if option.choices and value not in option.choices:
        raise ValueError(f"{where} is {_shown(value)}, not one of {', '.join(option.choices)}")
    free = option.choices or option.name in NEVER_OPENED or _is_label_map(option)
    if not free and leads_out(value):
        raise ValueError(f"{where} is {_shown(value)}, but a shared file may not name files outside a dataset's folder")
    return value


def _rows(given: Mapping[str, Any], sources: Mapping[str, Any]) -> pa.Table:
    _only(given, ROWS, "rows")
    lengths = {name: len(_get(given, name, list, "rows")) for name in ROWS}
    for name, length in lengths.items():
        if length != lengths["sample_id"]:
            raise ValueError(f"rows.{name} has {length:,} values, and rows.sample_id {lengths['sample_id']:,}")
    table = pa.table({name: _column(name, given[name]) for name in ROWS})
    ids = given["sample_id"]
    if not ids or len(set(ids)) < len(ids):
        raise ValueError("it has no rows" if not ids else "rows.sample_id holds an id twice")
    if strangers := {i.partition(":")[0] for i in ids} - set(sources):
        raise ValueError(f"rows.sample_id holds rows of {_shown(min(strangers))}, which is not one of its sources")
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
        raise ValueError(f"{where} holds {_shown(min(strangers))}, not one of {', '.join(filter(None, WORDS[name]))}")
    if pa.types.is_integer(kind) and (pc.min(column).as_py() or 0) < 0:
        raise ValueError(f"{where} holds a number below 0")
    return column
