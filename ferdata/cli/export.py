"""`ferdata export RUN`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli.layout import echo
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
@option(
    export, "--tta", type=click.Choice(TTA), help="Test-time augmentation inside the graph [default: as in training]."
)
@option(export, "--int8", help="Quantise to 8-bit integers, and report the accuracy lost on val.")
@option(
    export, "--batch", type=click.IntRange(1),
    help="Fixed batch size, for programs that need one [default: any number of images].",
)  # fmt: skip
@option(
    export, "--manifest", type=click.Path(path_type=Path),
    help="Compare run and file on the val faces of this manifest [default: the one trained on].",
)  # fmt: skip
@option(export, "--faces", type=click.IntRange(1), help="At most this many val faces.")
@option(export, "--tolerance", type=float, help="Largest difference allowed between two probabilities.")
@option(export, "--force", help="Replace an existing file.")
@json_option
def command(run: Path, as_json: bool, **given: Any) -> None:
    """Export a run as one ONNX file, after checking on real faces that both give the same labels.

    Input: pixels, uint8 (N, channels, size, size) in 0..255; the graph normalises them itself, so do not rescale them.
    Output: probabilities. The file's metadata has the classes, size, crop and the result of the comparison. The report
    also says whether OpenCV's cv2.dnn can read the file.

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
    found = done.opencv
    if found["read"]:
        return f"yes: {found['faces']:,} faces, probabilities within {found['most']:.1e}"
    return f"no: {found['why']}; use onnxruntime"


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
            f"test-time augmentation {metadata['tta']} and temperature {float(metadata['temperature']):.3f} applied",
            "against torch": f"{done.parity['faces']:,} val faces: the same labels, probabilities within "
            f"{done.parity['most']:.1e}",
            "read by OpenCV": opencv(done),
            "faces a second": rates,
            "caution": metadata["caution"] or None,
        }
    )
    if done.int8 is not None:
        lost, size = done.int8, done.int8["bytes"]
        echo()
        facts(
            {
                "int8": f"accuracy on {lost['faces']:,} val faces {lost['accuracy']['int8']:.2%}, "
                f"float32 {lost['accuracy']['float32']:.2%}: {round(-100 * lost['lost'], 2) + 0.0:+.2f} points",
                "labels": f"{lost['changed']:.2%} changed",
                "size": f"{size['float32'] / 1e6:.2f} MB -> {size['int8'] / 1e6:.2f} MB",
            }
        )
