"""Write a page for each dataset, and their index, from the adapters' declarations: python docs/make_pages.py."""

from pathlib import Path

from ferdata.adapters import catalogue
from ferdata.sources.declaration import Layout, Source

DOCS = Path(__file__).parent
INTRO = """# Datasets

Generated from the adapters by `python docs/make_pages.py`; edit the adapters, not these pages. The facts are from the
publishers' pages and from copies that were counted; what is uncertain is marked as such.

| name | content | who may have it | licence |
|---|---|---|---|
"""


def page(source: Source) -> str:
    """Return the page of one dataset as Markdown."""
    allowed = {True: "allowed", False: "not allowed", None: "not known"}
    steps = "\n".join(f"{i}. {step}" for i, step in enumerate(source.obtain, 1)) or "Give its folder with `--root`."
    parts = [
        f"# {source.title}",
        f"`ferdata ingest {source.name}` · {source.content}",
        f"**Home:** {source.homepage or 'none'}  \n**Who may have it:** {source.access}  \n"
        f"**Licence:** {source.licence.name}. {source.licence.terms} Redistribution "
        f"{allowed[source.licence.redistribution]}, commercial use {allowed[source.licence.commercial]}.",
        f"## How to obtain it\n\n{steps}",
        f"Where to put it: `{source.place}`",
    ]
    if source.kaggle:
        parts.append(f"Or, with a Kaggle account: `ferdata datasets get {source.name}`")
    parts += ["## Layouts", *(_layout(layout) for layout in source.layouts)]
    if source.options:
        parts += ["## Options", "\n".join(_option(o.name, o.help, o.default, o.choices) for o in source.options)]
    if source.citation:
        parts += ["## Citation", f"```bibtex\n{source.citation}\n```"]
    return "\n\n".join(parts) + "\n"


def _option(name: str, text: str, default: str | None, choices: tuple[str, ...]) -> str:
    values = f" ({', '.join(choices)})" if choices else ""
    return f"- `--{name.replace('_', '-')}`{values}: {text}" + (f" Default: `{default}`." if default else "")


def _layout(layout: Layout) -> str:
    marks = layout.marks_in_words("`") or "any"
    lines = [f"### {layout.name}", f"Recognised by {marks}. {layout.note}".strip()]
    if layout.labels:
        rows = "\n".join(f"| `{native}` | {meaning} |" for native, meaning in layout.labels.items())
        lines.append(f"| native label | means |\n|---|---|\n{rows}")
    if layout.counts:
        labels = list(dict.fromkeys(label for counts in layout.counts.values() for label in counts))
        head = f"| published | {' | '.join(labels)} |\n|---|{'---|' * len(labels)}"
        rows = "\n".join(
            f"| {split} | {' | '.join(f'{c[label]:,}' if label in c else '' for label in labels)} |"
            for split, c in layout.counts.items()
        )
        lines.append(f"{head}\n{rows}")
    return "\n\n".join(lines)


def pages() -> dict[Path, str]:
    """Return every page by its path."""
    sources, _ = catalogue()
    rows = [f"| [{s.name}]({s.name}.md) | {s.content} | {s.access} | {s.licence.name} |" for s in sources]
    made = {DOCS / "datasets" / f"{s.name}.md": page(s) for s in sources}
    return made | {DOCS / "datasets" / "README.md": INTRO + "\n".join(rows) + "\n"}


if __name__ == "__main__":
    (DOCS / "datasets").mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path)
