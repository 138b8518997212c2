"""The page: the comparison as one HTML file that asks nothing of any network, with a few faces of each set."""

import html
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from ferdata import __version__
from ferdata.auditing.report.pictures import embedded
from ferdata.comparing.between import Between
from ferdata.comparing.facts import Facts
from ferdata.comparing.look import Looked
from ferdata.comparing.sets import Sets
from ferdata.comparing.tables import Table, tables
from ferdata.running.whole_file import write_whole

FACES = 12  # of each set


def write(
    path: Path,
    sets: Sets,
    facts: Sequence[Facts],
    between: Sequence[Between],
    by: str,
    notes: Sequence[str],
    looked: Looked | None,
) -> None:
    """Write the page, whole or not at all; faces are shown of those that were looked at. Raises CannotWrite."""
    here = resources.files("ferdata.comparing").joinpath("page.html").read_text(encoding="utf-8")
    style = resources.files("ferdata.auditing.report").joinpath("page.css").read_text(encoding="utf-8")
    made = tables(facts, between, by)
    parts = {
        "title": html.escape(f"{', '.join(sets.names[:-1])} and {sets.names[-1]} compared"),
        "page.css": style,
        "facts": "".join(f"<span>{html.escape(name)} <b>{html.escape(v)}</b></span>" for name, v in _about(sets, by)),
        "body": "\n".join([*_notes(notes), _balance(sets, facts, _faces(sets, looked)), *map(_table, made)]),
    }
    for name, text in parts.items():
        here = here.replace("{{" + name + "}}", text)
    write_whole(path, here, "Choose another file with -o.")


def _about(sets: Sets, by: str) -> Iterator[tuple[str, str]]:
    for m in sets.manifests:
        yield m.path.name, m.fingerprint[:12]
    yield "taxonomy", sets.taxonomy.name
    yield "distances of", by
    yield "ferdata", __version__


def _notes(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        said = "".join(f'<p class="note">{html.escape(note)}</p>' for note in notes)
        yield f'<section class="panel"><h2>Beware</h2>{said}</section>'


def _balance(sets: Sets, facts: Sequence[Facts], faces: Sequence[Sequence[str]]) -> str:
    """Return each set with some of its faces and its class shares as a bar."""
    colour = {name: sets.taxonomy.colour(name) for name in sets.taxonomy.classes}
    blocks = []
    for each, shown in zip(facts, faces, strict=True):
        images = "".join(f'<img alt="" src="{uri}">' for uri in shown)
        strip = f'<div class="faces">{images}</div>' if images else ""
        present = {name: share for name, share in each.classes.shares.items() if share}
        bar = "".join(
            f'<i style="width:{share:.3%};background:{colour[name]}" title="{html.escape(name)} {share:.1%}"></i>'
            for name, share in present.items()
        )
        blocks.append(f'<div><h3>{html.escape(each.name)}</h3>{strip}<div class="bar">{bar}</div></div>')
    legend = "".join(
        f'<span><i class="dot" style="background:{shade}"></i>{html.escape(name)}</span>'
        for name, shade in colour.items()
    )
    return (
        f'<section class="panel"><h2>Faces and classes</h2><div class="sets">{"".join(blocks)}</div>'
        f'<p class="legend">{legend}</p></section>'
    )


def _faces(sets: Sets, looked: Looked | None) -> list[list[str]]:
    """Return some pictures of each set as data URIs; none where no image was read."""
    if looked is None:
        return [[] for _ in sets.names]
    spread = []
    for k in range(len(sets.names)):
        own = looked.rows[sets.of[looked.rows] == k]
        spread.append(own[np.unique(np.linspace(0, len(own) - 1, min(FACES, len(own))).astype(int))])
    wanted, start = np.concatenate(spread), 0
    uris: dict[int, str] = {}
    for m in sets.manifests:
        own = wanted[(wanted >= start) & (wanted < start + m.rows)] - start
        uris |= {start + row: uri for row, uri in embedded(m, np.sort(own))}
        start += m.rows
    return [[uris[row] for row in rows.tolist() if row in uris] for rows in spread]


def _table(made: Table) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        drawn = [
            f"<{'th' if i < made.text else tag}{' class=word' if i < made.text else ''}>{html.escape(cell)}"
            f"</{'th' if i < made.text else tag}>"
            for i, cell in enumerate(cells)
        ]
        return f"<tr>{''.join(drawn)}</tr>"

    body = "".join(line(row, "td") for row in made.rows)
    caption = f'<p class="soft">{html.escape(made.caption)}</p>' if made.caption else ""
    return (
        f'<section class="panel"><h2>{html.escape(made.title)}</h2><div class="scroll"><table>'
        f"<thead>{line(made.heads, 'th')}</thead><tbody>{body}</tbody></table></div>{caption}</section>"
    )
