"""`ferdata ingest NAME`: one sub-command per adapter, made from its declaration when it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ferdata import labels
from ferdata.adapters import catalogue, load
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import Choice, json_option, option
from ferdata.cli.output import by_reason, facts, print_json, table
from ferdata.running.engine import ENGINES
from ferdata.running.terminal import printable
from ferdata.sources.declaration import Option
from ferdata.steps.ingest import IMAGES, KNOWN, UNKNOWN, Ingested, ingest

MOST = 24  # differences shown
MOST_KINDS = 8  # of other files


class Datasets(click.Group):
    """The adapters as commands; an unknown name is answered with the close ones."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the adapters that can be used."""
        return [source.name for source in catalogue()[0]]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:  # noqa: ARG002
        """Build the command of one adapter. Raises BadOption for a name that is none."""
        return _command(cmd_name)


@click.group(cls=Datasets)
def command() -> None:
    """Read a dataset's folder into a manifest.

    \b
    ferdata ingest ferplus --root ~/data/FERPlus
    ferdata ingest ckplus --root ~/data/CK+48 --frames peak
    ferdata ingest folder --root photos --name mine
    """


def _command(name: str) -> click.Command:
    declared = load(name).SOURCE

    def run(as_json: bool, **given: Any) -> None:
        result = ingest(name, **given)
        if as_json:
            print_json(result)
        else:
            report(result)

    function: Callable[..., Any] = json_option(run)
    for own in reversed(declared.options):
        function = _own(own)(function)
    shared = (
        option(
            ingest, "--root", type=click.Path(path_type=Path),
            help="The dataset's folder, or its archive (.zip, .tar, .tar.gz).",
        ),
        option(
            ingest, "-o", "--out", type=click.Path(path_type=Path),
            help=f"The manifest to write [default: manifests/{name}.parquet].",
        ),
        option(
            ingest, "--images", type=click.Choice(IMAGES),
            help="reference: paths to the images. embed: the image files [default: reference; from archives: embed].",
        ),
        option(
            ingest, "--votes", type=click.Choice(labels.POLICIES),
            help="How annotator votes become a label (datasets with votes only).",
        ),
        option(
            ingest, "--unknown-labels", type=click.Choice(UNKNOWN),
            help="Labels that the dataset is not known to have: stop with an error, or keep the rows without a label.",
        ),
        *(_known_options() if declared.generic else ()),
        option(ingest, "--workers", type=click.IntRange(1), help="Worker processes [default: one per core]."),
        option(
            ingest, "--engine", type=click.Choice(ENGINES),
            help="local: this machine. ray: worker processes of Ray, here or on a cluster.",
        ),
        option(ingest, "--address", help="The Ray cluster: auto, or HOST:PORT [default: one started for this run]."),
        option(ingest, "--resume", help="Continue this ingest where Ctrl-C or an error stopped it."),
        option(ingest, "--force", help="Replace an existing manifest."),
    )  # fmt: skip
    for decorate in reversed(shared):
        function = decorate(function)
    text = f"{declared.title}.\n\n{declared.content}\n\n\b\nferdata ingest {name} --root path/to/{name}"
    return click.command(name, help=text, short_help=declared.title)(function)


def _known_options() -> tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...]:
    """Declare the options of datasets that anybody may have put together."""
    return (
        option(
            ingest, "--known", type=click.Choice(KNOWN),
            help="Look the faces up among known datasets (FER2013, ferdata known). tell: say whose they "
            "are. use: take over their official splits.",
        ),
        option(
            ingest, "--known-votes", type=click.Path(path_type=Path), metavar="DIR|CSV",
            help="With --known use: FER+'s folder, or its fer2013new.csv, whose votes FER2013's faces get.",
        ),
    )  # fmt: skip


def _own(declared: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    kind = Choice(declared.choices) if declared.choices else click.STRING
    return click.option(
        f"--{declared.name.replace('_', '-')}",
        type=kind,
        default=declared.default,
        show_default=declared.default is not None,
        help=declared.help,
    )


def report(result: Ingested) -> None:
    """Print what an ingest did."""
    facts(
        {
            "dataset": f"{result.dataset}, layout {result.release}",
            "note": result.note or None,
            "read from": result.base,
            "rows": f"{result.rows:,} ({result.labelled:,} labelled)",
            "resumed": _resumed(result) if result.resumed else None,
            "no label": _with_first_rows(result.unlabelled, result.named) or None,
            "unknown labels": by_reason(result.unknown_labels) + ", kept without a label"
            if result.unknown_labels
            else None,
            "rejected": _with_first_rows(result.rejected, result.named) or "none",
            "rejects": result.rejects,
            "other files": _others(result.others, result.first_others),
            "known faces": "\n".join(map(str, result.known)) or None,
            "manifest": result.out,
            "fingerprint": result.fingerprint,
        }
    )
    echo()
    splits = result.counts[result.dataset]
    table("Rows", ("split", "rows", "labelled"), [(s, c["rows"], c["labelled"]) for s, c in splits.items()])
    release(result.differences, result.strange_count, result.strange)
    if result.lacking:
        prose(f"{result.lacking}\n")
    echo(
        f"Next: ferdata stats {result.out}, then ferdata merge {result.out} -o manifests/merged.parquet",
        dim=True,
    )


def _resumed(result: Ingested) -> str:
    again = f"; {result.unused:,} of them were measured again, since their files have changed" if result.unused else ""
    return f"{result.resumed:,} rows from the interrupted run were reused{again}"


def _with_first_rows(counts: Mapping[str, int], named: Mapping[str, Sequence[str]]) -> str:
    """Return the counts by reason, and a line with the first rows of the reasons that name rows."""
    lines = [by_reason(counts)] if counts else []
    lines += [f"{reason}: {', '.join(named[reason])}{' ...' if n > len(named[reason]) else ''}"
              for reason, n in counts.items() if reason in named]  # fmt: skip
    return "\n".join(lines)


def _others(counts: Mapping[str, int], first: Sequence[str]) -> str | None:
    """Return how many other files there are, by their endings, and the first of them; None where there are none."""
    if not counts:
        return None
    kinds = [f"{n:,} {ending}" for ending, n in counts.items()]
    more = f" and {len(kinds) - MOST_KINDS} other endings" if len(kinds) > MOST_KINDS else ""
    named = ", ".join(map(printable, first))
    return f"{', '.join(kinds[:MOST_KINDS])}{more}\n{named}{' ...' if sum(counts.values()) > len(first) else ''}"


def release(differences: Sequence[str], strange_count: int, strange: Sequence[str] = ()) -> None:
    """Print how a dataset differs from what its publishers describe; nothing where it does not."""
    if differences:
        echo("Counts that differ from the published ones:")
        for difference in differences[:MOST]:
            prose(f"  {difference}")
        if len(differences) > MOST:
            echo(f"  and {len(differences) - MOST} more: ferdata show --json")
    if strange_count:
        named = f", such as {', '.join(strange)}" if strange else ""
        prose(f"{strange_count:,} file names do not follow the publisher's naming{named}: are they added copies?")
    if differences or strange_count:
        echo()
