"""What a part found: a line of JSON at once, and the tables of all lines at the end. Needs nothing but Python.

python -m gpu.record FOLDER
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

BEGUN = time.monotonic()


def elapsed() -> float:
    """Return the seconds since this process began its work."""
    return time.monotonic() - BEGUN


def add(file: Path, **row: Any) -> None:
    """Append a row and say it, so that what comes after may fail."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")
    print(f"[{elapsed():5.0f} s] " + "  ".join(f"{name} {_word(value)}" for name, value in row.items()), flush=True)


def reason(error: BaseException) -> str:
    """Return an error in a line."""
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:300]


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"
    return str(value)


def rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; none where it is not there."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def table(found: list[dict[str, Any]]) -> list[str]:
    """Return rows as Markdown, a column for every name that any of them has."""
    names = list(dict.fromkeys(name for row in found for name in row))
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    return lines + [f"| {' | '.join(_word(row.get(name, '')) for name in names)} |" for row in found]


def main() -> None:
    """Print the tables of all that a folder holds."""
    folder = Path(sys.argv[1])
    for file in sorted(folder.glob("*.jsonl")):
        print(f"\n## {file.stem}\n")
        print("\n".join(table(rows(file))))


if __name__ == "__main__":
    main()
