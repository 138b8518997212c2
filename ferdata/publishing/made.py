"""How a manifest was made, in words, from its lineage."""

from collections.abc import Iterator, Mapping
from typing import Any

from ferdata.manifest.metadata import steps
from ferdata.publishing.facts import Facts


def made(facts: Facts) -> list[str]:
    """Return a sentence for each step that went into the manifest, the first one first."""
    return [_sentence(step) for step in ordered(facts)]


def ordered(facts: Facts) -> list[Mapping[str, Any]]:
    """Return every step of the lineage, the inputs' before those that read them."""
    return [step for _, step in steps(list(facts.lineage), "lineage")][::-1]


def _sentence(step: Mapping[str, Any]) -> str:
    what = f"{step['step']} {step['dataset']}" if "dataset" in step else str(step["step"])
    given = ", ".join(_options(step["options"]))
    rows = (
        f": {step['rows_in']:,} rows in, {step['rows_out']:,} out" if "rows_in" in step and "rows_out" in step else ""
    )
    left = step.get("dropped") or step.get("without_split") or {}
    why = f" ({', '.join(f'{n:,} {reason}' for reason, n in left.items())})" if left else ""
    return f"ferdata {step['ferdata']} {what}{f' ({given})' if given else ''}{rows}{why}"


def _options(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if value not in (None, False, "") and isinstance(value, str | int | float):
            # A file that an option named is named here too, but not the folder where somebody's machine keeps it.
            yield f"{name} {value.replace(chr(92), '/').rpartition('/')[2] if isinstance(value, str) else value}"
