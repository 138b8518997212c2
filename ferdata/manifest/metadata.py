"""What a manifest says of itself, and the check of it: the file may be damaged, and somebody else may have made it.

Every step reads these words, and a file that is shared carries them on; so each part is looked at once, here, and what
has another form is named. Errors are ValueErrors, which say where and what.
"""

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from ferdata.labels import EMOTIONS, POLICIES, REASONS, Taxonomy
from ferdata.running.documents import parse_json
from ferdata.schema import NAME_RULE, is_dataset_name

LARGEST = 64 << 20  # bytes
LABELS = "labels"
# What must stand in a source, a step of the lineage and an input of one: later steps rely on it.
_SOURCE: Mapping[str, type] = {
    **dict.fromkeys(("title", "homepage", "licence", "citation", "release"), str),
    LABELS: dict,
}
_STEP: Mapping[str, type] = {"step": str, "ferdata": str, "options": dict, "inputs": list}
_INPUT: Mapping[str, type] = {"name": str, "rows": int, "fingerprint": str, "lineage": list}
_KINDS: Mapping[type, str] = {dict: "a table of names and values", list: "a list", str: "text", int: "a whole number"}
T = TypeVar("T")


def parse(raw: bytes) -> dict[str, Any]:
    """Return what these bytes of a Parquet file's metadata say, whatever it is; `check` looks at it."""
    return is_a(parse_json(raw, LARGEST), dict, "it")


def check(document: Mapping[str, Any]) -> None:
    """Raise ValueError unless a document, of this schema's version, is what every manifest says of itself."""
    has(document, {"fingerprint": str, "rows": int, "lineage": list, "sources": dict, "taxonomy": dict}, "it")
    check_policy(document)
    taxonomy(document["taxonomy"])
    for name, source in document["sources"].items():
        check_source(source, f"sources.{check_name(name, 'a name in sources')}")
        where = source.get("root")
        if where is not None:
            is_a(where, str, f"sources.{name}.root")
        is_a(source.get("measured", 1), int, f"sources.{name}.measured")
    for _ in steps(document["lineage"], "lineage"):
        pass
    for name, splits in get(document, "counts", dict, "it").items():
        for split, counts in is_a(splits, dict, f"counts.{name}").items():
            has(counts, {"rows": int, "labelled": int}, f"counts.{name}.{split}")


def is_a(value: Any, kind: type[T], where: str) -> T:
    """Return `value`, which is of that kind and of no other; `where` begins the error."""
    if type(value) is not kind:  # a bool is an int, but no number here
        raise ValueError(f"{where} is {shown(value)}, expected {_KINDS[kind]}")
    return value


def get(table: Mapping[str, Any], name: str, kind: type[T], where: str) -> T:
    """Return a table's value of that name and kind."""
    if name not in table:
        raise ValueError(f"{where} has no {name!r}")
    return is_a(table[name], kind, name if where == "it" else f"{where}.{name}")


def has(table: Any, kinds: Mapping[str, type], where: str) -> None:
    """Check that there is a table with these names, each of its kind."""
    is_a(table, dict, where)
    for name, kind in kinds.items():
        get(table, name, kind, where)


def only(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Check that a table has no other names than these."""
    if strangers := [name for name in table if name not in known]:
        raise ValueError(f"{where} holds {shown(strangers[0])}, where there is only {', '.join(known)}")


def shown(value: Any) -> str:
    """Return a value as an error shows it, however long it is."""
    return reprlib.repr(value)


def check_name(name: str, where: str) -> str:
    """Return a dataset's name, which is one."""
    if not is_dataset_name(name):
        raise ValueError(f"{where} is {shown(name)}, and a dataset's name is {NAME_RULE}")
    return name


def check_policy(document: Mapping[str, Any]) -> str:
    """Return the vote policy, which is one of ours."""
    policy = get(document, "vote_policy", str, "it")
    if policy not in POLICIES:
        raise ValueError(f"vote_policy is {shown(policy)}, not one of {', '.join(POLICIES)}")
    return policy


def taxonomy(given: Mapping[str, Any]) -> Taxonomy:
    """Return a taxonomy whose every class is mapped to, from emotions alone."""
    for name, kind in (("name", str), ("classes", list), ("mapping", dict)):
        get(given, name, kind, "taxonomy")
    classes, mapping = given["classes"], given["mapping"]
    for word in (*classes, *mapping.values()):
        is_a(word, str, "a class of the taxonomy")
    if not classes or len(set(classes)) < len(classes) or set(mapping.values()) != set(classes):
        raise ValueError(f"taxonomy.classes are {shown(classes)}, and its mapping leads to {shown(mapping)}")
    only(mapping, EMOTIONS, "taxonomy.mapping")
    return Taxonomy.from_dict(given)


def check_source(source: Any, where: str) -> None:
    """Check what `ferdata.sources.declaration.metadata` and ingest say of a dataset."""
    has(source, _SOURCE, where)
    for field in ("redistribution", "commercial"):
        if source.get(field, "") not in (True, False, None):
            raise ValueError(f"{where}.{field} is {shown(source.get(field))}, expected true, false or null")
    for native, meaning in source[LABELS].items():
        if meaning not in (*EMOTIONS, *REASONS):
            raise ValueError(f"{where}.{LABELS} takes {shown(native)} to {shown(meaning)}, which is not an emotion")
    for difference in is_a(source.get("differences", []), list, f"{where}.differences"):
        is_a(difference, str, f"a difference in {where}")
    is_a(source.get("strange_names", 0), int, f"{where}.strange_names")


def steps(lineage: list[Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every step that went into a manifest, and where it stands; ingests come in the order of the rows."""
    for i, step in enumerate(lineage):
        here = f"{where}[{i}]"
        has(step, _STEP, here)
        is_a(step.get("rows_out", 0), int, f"{here}.rows_out")
        is_a(step.get("adapter", ""), str, f"{here}.adapter")
        for name in ("dropped", "without_split"):
            _check_counts(step.get(name, {}), f"{here}.{name}")
        for name, changes in is_a(step.get("proposed", {}), dict, f"{here}.proposed").items():
            _check_counts(changes, f"{here}.proposed.{name}")
        yield here, step
        for j, given in enumerate(step["inputs"]):
            inner = f"{here}.inputs[{j}]"
            has(given, _INPUT, inner)
            yield from steps(given["lineage"], f"{inner}.lineage")


def _check_counts(counts: Any, where: str) -> None:
    for count in is_a(counts, dict, where).values():
        is_a(count, int, f"a count in {where}")
