"""One place of a document changed: left out, renamed, or of another kind; in JSON, or in a Parquet file's rows."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.robust import mutate_text

ODD: tuple[Any, ...] = (
    *(None, 0, -1, 2**70, 1.5, float("nan"), "", "x", "../../etc/passwd", [], {}, [1], {"a": 1}, True, "\x00"),
    *("=1+1", "9" * 400, "\x1b[31m"),
)
KEY = b"ferdata"


def changed(value: Any, chance: random.Random, depth: int = 0) -> str:
    """Change one place of a document, and return what was done."""
    if isinstance(value, dict) and value:
        key: Any = chance.choice(sorted(value))
    elif isinstance(value, list) and value:
        key = chance.randrange(len(value))
    else:
        return "nothing"
    if isinstance(value[key], dict | list) and value[key] and chance.random() < 0.7:
        return f"{key}.{changed(value[key], chance, depth + 1)}"
    if chance.random() < 0.3:
        del value[key]
        return f"{key} gone"
    value[key] = chance.choice(ODD)
    return f"{key}={value[key]!r:.30}"


def mutate_document(path: Path, chance: random.Random) -> str:
    """Change a JSON file, as a document or as text."""
    if chance.random() < 0.75:
        document = json.loads(path.read_bytes())
        what = changed(document, chance)
        path.write_text(json.dumps(document))
        return what
    what, data = mutate_text.mutated(path.read_bytes(), chance)
    path.write_bytes(data)
    return what


def mutate_lines(path: Path, chance: random.Random) -> str:
    """Change a file of a JSON object per line, as documents or as text."""
    if chance.random() < 0.55:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        what = changed(chance.choice(lines), chance)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return what
    what, data = mutate_text.mutated(path.read_bytes(), chance)
    path.write_bytes(data)
    return what


def mutate_metadata(path: Path, chance: random.Random) -> str:
    """Change one place of a manifest's own metadata; its rows stay."""
    table, kept = pq.read_table(path), dict(pq.read_metadata(path).metadata or {})
    kept.pop(b"ARROW:schema", None)
    document = json.loads(kept[KEY])
    what = changed(document, chance)
    kept[KEY] = json.dumps(document).encode()
    pq.write_table(table.replace_schema_metadata(kept), path)
    return f"metadata {what}"


def mutate_column(path: Path, chance: random.Random) -> str:
    """Take a column of a manifest away, or give it another type, another name, or no values."""
    table, kept = pq.read_table(path), dict(pq.read_metadata(path).metadata or {})
    kept.pop(b"ARROW:schema", None)
    at = chance.randrange(len(table.schema))
    name = table.schema.names[at]
    kind = table.schema.field(at).type
    others = {
        "gone": lambda: table.remove_column(at),
        "null": lambda: table.set_column(at, name, pa.nulls(len(table), kind)),
        "text": lambda: table.set_column(at, name, pa.array(["x"] * len(table))),
        "numbers": lambda: table.set_column(at, name, pa.array([7] * len(table), pa.int64())),
        "bytes": lambda: table.set_column(at, name, pa.array([b"\xff\xfe"] * len(table), pa.binary())),
        "renamed": lambda: table.rename_columns([f"{n}_" if n == name else n for n in table.schema.names]),
        "twice": lambda: table.append_column(name, table[at]),
        "no rows": lambda: table.slice(0, 0),
    }
    what = chance.choice(sorted(others))
    pq.write_table(others[what]().replace_schema_metadata(kept), path)
    return f"{name} {what}"


def mutate_bytes(path: Path, chance: random.Random) -> str:
    """Flip bits of a file, or cut its end off."""
    change = chance.choice((mutate_text.flipped, mutate_text.flipped, mutate_text.cut))
    path.write_bytes(change(path.read_bytes(), chance))
    return change.__name__
