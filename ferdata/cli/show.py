"""`ferdata show M`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ferdata.cli.ingest import release
from ferdata.cli.layout import echo
from ferdata.cli.options import json_option
from ferdata.cli.output import Branch, by_reason, facts, print_json, table, tree
from ferdata.running.cache import gigabytes
from ferdata.schema import COLUMNS
from ferdata.steps.show import Shown, show


@click.command("show")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--columns", is_flag=True, help="Also list every column of the schema.")
@json_option
def command(manifest: Path, columns: bool, as_json: bool) -> None:
    """What a manifest holds, from where, and how it was made.

    \b
    ferdata show manifests/merged.parquet
    """
    result = show(manifest)
    if as_json:
        print_json(result)
    else:
        report(result, columns)


def report(result: Shown, columns: bool) -> None:
    """Print the manifest's facts, sources, rows and lineage."""
    facts(
        {
            "manifest": f"{result.manifest} ({gigabytes(result.size)}, schema {result.schema_version})",
            "rows": result.rows,
            "classes": f"{', '.join(result.classes)} ({result.taxonomy})",
            "vote policy": result.vote_policy,
            "fingerprint": result.fingerprint,
        }
    )
    for name, source in result.sources.items():
        echo()
        root = result.roots[name]
        where = f"{root}{'' if root and Path(root).is_dir() else '  (not there now)'}"
        facts(
            {
                name: source["title"],
                "  release": source["release"],
                "  licence": f"{source['licence']} (redistribution {_allowed(source['redistribution'])}, "
                f"commercial use {_allowed(source['commercial'])})",
                "  images": where if root else "in the manifest",
                "  home": source["homepage"],
            }
        )
        release(source.get("differences", ()), source.get("strange_names", 0))
    echo()
    table(
        "Rows",
        ("dataset", "split", "rows", "labelled"),
        [(d, s, c["rows"], c["labelled"]) for d, splits in result.counts.items() for s, c in splits.items()],
        text=2,
    )
    echo("How it was made")
    tree(list(_lineage(result.lineage)))
    if columns:
        echo()
        table(
            "Columns",
            ("name", "type", "owner", "meaning"),
            [(c.name, c.type, c.owner, c.meaning) for c in COLUMNS],
            text=4,
        )
    echo(f"\nNext: ferdata stats {result.manifest}", dim=True)


def _allowed(yes: bool | None) -> str:
    return {True: "allowed", False: "not allowed", None: "not known"}[yes]


def _lineage(steps: Sequence[Mapping[str, Any]]) -> Iterator[Branch]:
    """Yield the steps as the branches of a tree, the last one on top, what it was made of below."""
    for step in steps:
        options = " ".join(f"{k}={v}" for k, v in step["options"].items() if v is not None)
        what = f"{step['step']} {step.get('adapter', '')}".strip()
        rows = step.get("rows_out", sum(source["rows"] for source in step["inputs"]))  # early reviews did not write it
        below: list[Branch] = [
            (f"{word}: {by_reason(counts)}", [])
            for word, counts in (
                ("dropped", step.get("dropped")),
                ("without split", step.get("without_split")),
                ("relabelled", {name: sum(changes.values()) for name, changes in step.get("proposed", {}).items()}),
            )
            if counts
        ]
        below += [
            (f"{source['name']}, {source['rows']:,} rows, fingerprint {source['fingerprint']}",
             list(_lineage(source["lineage"])))
            for source in step["inputs"]
        ]  # fmt: skip
        yield f"{what} {options} -> {rows:,} rows (ferdata {step['ferdata']})", below
