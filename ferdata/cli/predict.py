"""`ferdata predict RUN PATHS...`, and the same as a page with the camera: `--serve`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli import DONE, FAILED
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import by_reason, print_json, table
from ferdata.images.alignment import NO_FACE
from zoo.deploy.files import by_number, passed_over
from zoo.deploy.predict import Prediction, predict, tally
from zoo.deploy.preprocess import DETECT
from zoo.deploy.webcam_server import serve
from zoo.evaluation.inference import TTA
from zoo.run.device import DEVICES
from zoo.run.model_file import read_meta
from zoo.run.run_folder import Folder

ONE_BY_ONE = 200  # rows that a person reads; the counts below say the rest


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@option(
    predict, "--detect", type=click.Choice(DETECT),
    help="Who looks for faces; none: pictures are faces [default: as the run was trained; in films always].",
)  # fmt: skip
@option(
    predict, "--model", type=click.Path(path_type=Path),
    help="YuNet's model file [default: FERDATA_YUNET, else the cached one, downloaded once: 230 KB].",
)  # fmt: skip
@option(predict, "--margin", type=float, help="More about a found face, as a share [default: as trained, else 0].")
@option(predict, "--every", type=click.IntRange(1), help="Of films, every n-th frame.")
@option(predict, "--track", help="Follow the faces of a film from frame to frame, each under one number.")
@option(predict, "--tta", type=click.Choice(TTA), help="Views that are averaged [default: as the run did].")
@option(predict, "--device", type=click.Choice(DEVICES), help="Where to compute.")
@option(predict, "-o", "--out", type=click.Path(path_type=Path), help="A table to write: .parquet or .csv.")
@option(predict, "--force", help="Replace an existing --out.")
@click.option("--serve", "page", is_flag=True, help="A page with the camera, for this computer only; Ctrl-C ends it.")
@option(serve, "--port", type=click.IntRange(0, 65535), help="Of --serve; 0 takes any that is free.")
@json_option
def command(run: Path, paths: tuple[Path, ...], as_json: bool, page: bool, port: int, **given: Any) -> int:
    """Label the faces in pictures, films, or folders of them, with a trained run.

    Faces are found and cut as those of the training set were by `ferdata align`. A run that was trained on crops as
    published takes a picture for a face, unless --detect says who looks.

    With --track a face of a film has one number in all frames, as long as its box overlaps its last one; it is waited
    for while it is hidden for up to a second.

    \b
    ferdata predict runs/first face.png more-faces/
    ferdata predict runs/first party.jpg film.mp4 --detect yunet -o faces.csv
    ferdata predict runs/first film.mp4 --every 2 --track -o faces.csv
    ferdata predict runs/first --serve
    """  # fmt: skip
    if page:
        if paths or given["out"] or as_json:
            raise click.UsageError("--serve takes its pictures from the page: leave out PATHS, --out and --json.")
        refuse_idle(("every", "track", "force"), "the page has no film and writes no file")
        options = {name: given[name] for name in ("device", "tta", "detect", "model", "margin")}
        serve(run, port=port, say=click.echo, **options)
        return DONE
    if not paths:
        raise click.UsageError("Name pictures, films or folders, or add --serve for a page with the camera.")
    refuse_idle(("port",), "for the page of --serve alone")
    if not given["out"]:
        refuse_idle(("force",), "it replaces the table of --out; name one")
    result = predict(run, paths, **given)
    meta = read_meta(Folder(run).model)
    if as_json:
        print_json(result)
    else:
        report(result, meta.size, given["out"])
    if others := passed_over(paths):
        click.echo(f"Passed over, as no pictures: {by_number(others)}", err=True)
    if meta.caution:
        click.echo(meta.caution, err=True)
    return DONE if any(p.label for p in result) else FAILED


def report(result: list[Prediction], size: int, out: Path | None) -> None:
    """Print a row per face, those pictures that show none or could not be read, and what it comes to."""
    labelled = [p for p in result if p.label is not None]
    shown = labelled[:ONE_BY_ONE]
    if shown:
        films = any(p.frame is not None for p in shown)
        followed = any(p.track is not None for p in shown)
        more = (*(("time",) if films else ()), *(("track",) if followed else ()))
        columns = ("picture", *more, "face at", "label", "share", "runner-up", "share")
        table("", columns, [row(p, films, followed) for p in shown], text=3 + len(more))
    if len(labelled) > len(shown):
        click.echo(f"... and {len(labelled) - len(shown):,} more; --out faces.csv writes all of them.\n")
    for p in result:
        if p.error is not None and p.error != NO_FACE:
            click.echo(f"not read: {p.path}: {p.error}", err=True)
        elif p.error is not None and p.frame is None:
            click.echo(f"no face: {p.path}", err=True)
    n = tally(result, size)
    unread = f", {n['unread']:,} could not be read" if n["unread"] else ""
    alone = f", {n['no_face']:,} without a face" if n["no_face"] else ""
    tracks = f" in {n['tracks']:,} {'track' if n['tracks'] == 1 else 'tracks'}" if n["tracks"] else ""
    click.echo(f"{n['faces']:,} labelled{tracks}{alone}{unread}: {by_reason(n['labels']) or 'nothing'}")
    if n["large"]:
        click.echo(
            f"{n['large']:,} of them were taken for a face whole, and are much larger than the {size} px crops of "
            "training. If they are photographs, add --detect yunet.",
            err=True,
        )
    if out is not None:
        click.echo(str(out))


def row(p: Prediction, films: bool, followed: bool) -> tuple[Any, ...]:
    """Return a prediction's cells: picture, time and track in a film, box, label and share, the runner-up and its."""
    first, second = p.label or "", p.runner_up
    where = "whole" if p.box is None else "{:.0f},{:.0f} {:.0f}x{:.0f}".format(*p.box)
    return (
        p.path,
        *((None if p.seconds is None else f"{p.seconds:.2f} s",) if films else ()),
        *((p.track,) if followed else ()),
        where,
        first,
        f"{p.probabilities[first]:.1%}",
        second,
        f"{p.probabilities[second]:.1%}" if second else None,
    )
