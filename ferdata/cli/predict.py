"""`ferdata predict RUN PATHS...`, and the same as a page with the camera: `--serve`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli import DONE, FAILED
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import by_reason, facts, print_json, table
from ferdata.images.alignment import NO_FACE
from zoo.deploy.files import by_number, passed_over
from zoo.deploy.predict import EVERY, Prediction, predict, tally
from zoo.deploy.preprocess import DETECT, looks_in_videos, looks_with
from zoo.deploy.webcam_server import serve
from zoo.evaluation.inference import TTA
from zoo.run.device import DEVICES
from zoo.run.model_file import Meta, read_meta
from zoo.run.run_folder import Folder

ONE_BY_ONE = 200  # rows that a person reads; the counts below say the rest


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@option(
    predict, "--detect", type=click.Choice(DETECT),
    help="Face detector; none: each image is one face crop [default: that of training; if training had none, videos "
    "and the camera get yunet, or haar where yunet's model file is missing].",
)  # fmt: skip
@option(
    predict, "--model", type=click.Path(path_type=Path),
    help="YuNet's model file [default: FERDATA_YUNET, else the cached one, downloaded once: 230 KB].",
)  # fmt: skip
@option(
    predict, "--margin", type=float,
    help="Margin added to each side of a detected face, as a share of its box [default: as in training, else 0].",
)  # fmt: skip
@option(
    predict, "--every", type=click.IntRange(1), metavar="N", help=f"Of videos, every N-th frame [default: {EVERY}]."
)
@option(predict, "--track", help="Track the faces of a video from frame to frame, each under one number.")
@option(predict, "--tta", type=click.Choice(TTA), help="Test-time augmentation [default: as in training].")
@option(predict, "--device", type=click.Choice(DEVICES), help="Where to compute.")
@option(predict, "-o", "--out", type=click.Path(path_type=Path), help="A table to write: .parquet or .csv.")
@option(predict, "--force", help="Replace an existing --out.")
@click.option("--serve", "page", is_flag=True, help="A page with the camera, for this computer only; Ctrl-C ends it.")
@option(serve, "--port", type=click.IntRange(0, 65535), help="Of --serve; 0 takes any that is free.")
@json_option
def command(run: Path, paths: tuple[Path, ...], as_json: bool, page: bool, port: int, **given: Any) -> int:
    """Label the faces in pictures, videos, or folders of them, with a trained run.

    Faces are detected and cut as those of the training set were by `ferdata align`. A run that was trained on crops as
    published takes each picture as one face, unless --detect names a detector; in videos, and before the camera, a
    detector looks in any case, unless it is none.

    With --track a face of a video has one number in all frames, as long as its box overlaps its last one; a face that
    is hidden keeps its number for up to a second.

    \b
    ferdata predict runs/first face.png more-faces/
    ferdata predict runs/first party.jpg video.mp4 --detect yunet -o faces.csv
    ferdata predict runs/first video.mp4 --every 2 --track -o faces.csv
    ferdata predict runs/first --serve
    """  # fmt: skip
    if page:
        if paths or given["out"] or as_json:
            raise click.UsageError("--serve takes its pictures from the page: leave out PATHS, --out and --json.")
        refuse_idle(("every", "track", "force"), "the page takes no video file and writes no file")
        options = {name: given[name] for name in ("device", "tta", "detect", "model", "margin")}
        serve(run, port=port, say=echo, **options)
        return DONE
    if not paths:
        raise click.UsageError("Name pictures, videos or folders, or add --serve for a page with the camera.")
    refuse_idle(("port",), "for the page of --serve alone")
    if not given["out"]:
        refuse_idle(("force",), "it replaces the table of --out; name one")
    result = predict(run, paths, **given)
    meta = read_meta(Folder(run).model)
    if as_json:
        print_json(result)
    else:
        report(result, meta, given["detect"], given["out"])
    if others := passed_over(paths):
        prose(f"Skipped, as no pictures: {by_number(others)}", err=True)
    if meta.caution:
        prose(meta.caution, err=True)
    return DONE if any(p.label for p in result) else FAILED


def report(result: list[Prediction], meta: Meta, detect: str | None, out: Path | None) -> None:
    """Print a row per face, those pictures that show none or could not be read, and what it comes to."""
    labelled = [p for p in result if p.label is not None]
    shown = labelled[:ONE_BY_ONE]
    if shown:
        videos = any(p.frame is not None for p in shown)
        tracked = any(p.track is not None for p in shown)
        more = (*(("time",) if videos else ()), *(("track",) if tracked else ()))
        columns = ("picture", *more, "face at", "label", "confidence", "runner-up", "confidence")
        table("", columns, [row(p, videos, tracked) for p in shown], text=3 + len(more))
    if len(labelled) > len(shown):
        prose(f"... and {len(labelled) - len(shown):,} more; --out faces.csv writes all of them.\n")
    for p in result:
        if p.error is not None and p.error != NO_FACE:
            echo(f"not read: {p.path}: {p.error}", err=True)
        elif p.error is not None and p.frame is None:
            echo(f"no face: {p.path}", err=True)
    n = tally(result, meta.size)
    facts(summary(n, meta, detect, out))
    if n["large"]:
        prose(
            f"{n['large']:,} of the pictures were each taken as one face, and are much larger than the {meta.size} px "
            "crops of training. If they are photographs, add --detect yunet.",
            err=True,
        )


def summary(n: dict[str, Any], meta: Meta, detect: str | None, out: Path | None) -> dict[str, str | None]:
    """Return what a `tally` counted, in words, pictures, frames and faces apart, and which detector looked."""
    pictures, frames = n["pictures"] - n["frames"], n["frames"]
    tracks = f" in {counted(n['tracks'], 'track')}" if n["tracks"] else ""
    return {
        "pictures": f"{pictures:,}{shares(pictures, n['no_face'] - n['frames_no_face'])}" if pictures else None,
        "frames": f"{frames:,} of {counted(n['videos'], 'video')}{shares(frames, n['frames_no_face'])}"
        if frames
        else None,
        "unread": f"{n['unread']:,}, in whole or in part" if n["unread"] else None,
        "faces": f"{n['faces']:,}{tracks}" + (f": {by_reason(n['labels'])}" if n["faces"] else ""),
        "detector": detectors(meta, detect, bool(pictures), bool(frames)),
        "table": str(out) if out is not None else None,
    }


def shares(all_of_them: int, without: int) -> str:
    """Return how many of them show a face and how many do not, to follow their number."""
    return f": {all_of_them - without:,} with a face, {without:,} without"


def counted(n: int, what: str) -> str:
    """Return `1 track`, `2 tracks`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def detectors(meta: Meta, detect: str | None, pictures: bool, frames: bool) -> str | None:
    """Return which detector looked at what; None where nothing was looked at."""
    of_pictures = (looks_with(meta, detect) or "none, each is one face crop") if pictures else None
    of_frames = (looks_in_videos(meta, detect) or "none, each is one face crop") if frames else None
    if of_pictures and of_frames and of_pictures != of_frames:
        return f"{of_frames} in videos; in pictures {of_pictures}"
    return of_frames or of_pictures


def row(p: Prediction, videos: bool, tracked: bool) -> tuple[Any, ...]:
    """Return a prediction's cells: picture, time and track in a video, box, label and confidence, the runner-up's."""
    first, second = p.label or "", p.runner_up
    where = "whole" if p.box is None else "{:.0f},{:.0f} {:.0f}x{:.0f}".format(*p.box)
    return (
        p.path,
        *((None if p.seconds is None else f"{p.seconds:.2f} s",) if videos else ()),
        *((p.track,) if tracked else ()),
        where,
        first,
        f"{p.probabilities[first]:.1%}",
        second,
        f"{p.probabilities[second]:.1%}" if second else None,
    )
