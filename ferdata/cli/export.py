"""`ferdata export RUN`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json
from zoo.deploy.onnx_export import Exported, export
from zoo.evaluation.inference import TTA


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@option(
    export, "-o", "--out", type=click.Path(path_type=Path),
    help="The file to write [default: model.onnx in the run, model-int8.onnx with --int8].",
)  # fmt: skip
@option(export, "--tta", type=click.Choice(TTA), help="Views that the graph averages [default: as the run did].")
@option(export, "--int8", help="Compute with 8-bit numbers, and say what that costs on val.")
@option(
    export, "--batch", type=click.IntRange(1),
    help="How many pictures the graph takes at a time, for programs that want it fixed [default: any number].",
)  # fmt: skip
@option(
    export, "--manifest", type=click.Path(path_type=Path),
    help="Whose val faces both are compared on [default: the one trained on].",
)  # fmt: skip
@option(export, "--faces", type=click.IntRange(1), help="At most so many of them.")
@option(export, "--tolerance", type=float, help="By how much a probability may differ.")
@option(export, "--force", help="Replace an existing file.")
@json_option
def command(run: Path, as_json: bool, **given: Any) -> None:
    """Write a run as one ONNX file, once it has said of real faces what the run says of them.

    The graph takes pixels as they are, uint8 (N, channels, size, size) in 0..255, and normalises them itself: do not
    rescale them. It gives probabilities. Classes, size, crop, what the comparison found and the rest stand in the
    file's metadata. Whether OpenCV's cv2.dnn reads the file is tried, and told.

    \b
    ferdata export runs/first
    ferdata export runs/first --tta none --batch 1 -o one-by-one.onnx
    ferdata export runs/first --int8 -o first-int8.onnx
    """  # fmt: skip
    result = export(run, **given)
    if as_json:
        print_json(result)
    else:
        report(result)


def opencv(done: Exported) -> str:
    """Return whether OpenCV reads the file and is right, and if not why."""
    told = done.opencv
    if told["read"]:
        return f"yes: {told['faces']:,} faces, probabilities within {told['most']:.1e}"
    return f"no: {told['why']}; use onnxruntime"


def report(done: Exported) -> None:
    """Print what was written, how far it is from the run, and what 8 bits cost."""
    metadata, speed = done.metadata, done.speed
    rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in speed.items())
    size, n = metadata["size"], "N" if metadata["batch"] == "any" else metadata["batch"]
    shape = f"uint8 ({n}, {metadata['channels']}, {size}, {size}), 0..255: neither rescaled nor normalised"
    facts(
        {
            "file": f"{done.out}, {done.size / 1e6:.2f} MB",
            "input": f"pixels, {shape}",
            "output": f"probabilities, float32 ({n}, {len(done.metadata['classes'].split(','))}); "
            f"views {metadata['tta']}, temperature {float(metadata['temperature']):.3f} applied",
            "against torch": f"{done.parity['faces']:,} faces of val: the same labels, probabilities within "
            f"{done.parity['most']:.1e}",
            "read by OpenCV": opencv(done),
            "faces a second": rates,
            "caution": metadata["caution"] or None,
        }
    )
    if done.int8 is not None:
        lost, size = done.int8, done.int8["bytes"]
        click.echo()
        facts(
            {
                "int8": f"accuracy on {lost['faces']:,} faces of val {lost['accuracy']['int8']:.2%}, "
                f"before {lost['accuracy']['float32']:.2%}: {round(-100 * lost['lost'], 2) + 0.0:+.2f} points",
                "labels": f"{lost['changed']:.2%} are others now",
                "size": f"{size['float32'] / 1e6:.2f} MB -> {size['int8'] / 1e6:.2f} MB",
            }
        )
