"""Tables for a thesis: Markdown, or LaTeX with booktabs rules."""

import re
from collections.abc import Sequence
from typing import Any

FORMATS = ("text", "markdown", "latex")
SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def markdown(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "", text: int = 1
) -> str:
    """Return a Markdown table; the first `text` columns are words, the others numbers."""

    def line(cells: Sequence[Any]) -> str:
        return "| " + " | ".join(_cell(c).replace("|", "\\|") for c in cells) + " |"

    rule = "|" + "|".join("---" if i < text else "---:" for i in range(len(columns))) + "|"
    parts = [f"**{title}**\n", line(columns), rule, *map(line, rows), f"\n{caption}" if caption else ""]
    return "\n".join(parts).rstrip() + "\n"


def latex(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "", text: int = 1) -> str:
    """Return a LaTeX table, for a document that loads the packages booktabs and graphicx.

    Its label is made of the title's words; one that is wider than the text is scaled down to it.
    """

    def line(cells: Sequence[Any]) -> str:
        return " & ".join(escaped(_cell(c)) for c in cells) + r" \\"

    shape = "".join("l" if i < text else "r" for i in range(len(columns)))
    caption_text = escaped(f"{title}. {caption}".strip())
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\setlength{\belowcaptionskip}{6pt}",
            rf"\caption{{{caption_text}}}",
            rf"\label{{tab:{label(title)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{shape}}}",
            r"\toprule",
            line(columns),
            r"\midrule",
            *map(line, rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def label(title: str) -> str:
    """Return a table's name for \\ref: the words of its title, without those in brackets, joined by hyphens."""
    return "-".join(re.findall(r"[^\W_]+", re.sub(r"\([^)]*\)", "", title.lower())))


def escaped(words: str) -> str:
    """Return `words` with everything that LaTeX would read as a command made plain."""
    return "".join(SPECIAL.get(c, c) for c in words)


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
