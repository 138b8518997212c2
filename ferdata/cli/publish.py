"""`ferdata publish M -o OUT/`, and of a run: `ferdata publish RUN -o OUT/`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ferdata.cli.layout import echo
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import facts, print_json
from ferdata.publishing.files import FORMS
from ferdata.running.cache import gigabytes
from ferdata.steps.publish import Published, publish

WEIGHTS = "model.safetensors"  # what tells a run from a manifest that is a folder


@click.command("publish")
@click.argument("manifest", metavar="MANIFEST_OR_RUN", type=click.Path(path_type=Path))
@option(publish, "-o", "--out", type=click.Path(path_type=Path), help="The folder to write, such as published/.")
@option(
    publish, "--form", type=click.Choice(FORMS),
    help="parquet: shards per split. csv: a table per split, images beside. imagefolder: a folder per split and class.",
)  # fmt: skip
@option(
    publish, "--pixels/--no-pixels",
    help="Publish the images, or leave them out [default: publish them where every source's terms allow it].",
)  # fmt: skip
@option(
    publish, "--licence", multiple=True, metavar="NAME=LICENCE",
    help="The licence of a dataset that is your own, such as mine=cc-by-4.0; may be repeated.",
)  # fmt: skip
@option(publish, "--repo", metavar="OWNER/NAME", help="The repository on the Hub that it will be uploaded to.")
@option(publish, "--force", help="Replace an existing folder.")
@json_option
def command(manifest: Path, as_json: bool, **given: Any) -> None:
    """Write a manifest or a run as a folder for the Hugging Face Hub.

    Of a manifest: rows by split, a dataset card (README.md) and croissant.json (Croissant 1.1). Without the right to
    redistribute the images of every source, it holds everything but the pixels, and shared.json, from which
    ferdata rehydrate rebuilds the manifest. Of a run: the weights, config.json and a model card.

    \b
    ferdata publish manifests/merged.parquet -o published/
    ferdata publish manifests/mine.parquet -o published/ --licence mine=cc-by-4.0
    ferdata publish runs/first -o model/
    """
    if (manifest / WEIGHTS).is_file():
        refuse_idle(("form", "pixels", "licence"), "only of a manifest, and this is a run")
        from zoo.deploy.publish import publish as publish_run

        done = publish_run(manifest, given["out"], repo=given["repo"], force=given["force"])
        if as_json:
            print_json(done)
            return
        facts(
            {"folder": done.out, "licence": done.licence, "loaded by": done.loaded_by, "caution": done.caution or None}
        )
        _upload(given["repo"], done.out, "model")
        return
    result = publish(manifest, **given)
    if as_json:
        print_json(result)
    else:
        report(result)
        _upload(given["repo"], result.out, "dataset")


def report(result: Published) -> None:
    """Print what was published, and why the pixels were not."""
    splits: Sequence[str] = [f"{name} {rows:,}" for name, rows in result.splits.items()]
    kept = ", ".join(result.forbidding)
    reason = f"no: redistribution not allowed, or not known to be, by {kept}" if kept else "no: --no-pixels"
    facts(
        {
            "folder": result.out,
            "form": result.form,
            "rows": f"{result.rows:,}, {result.labelled:,} with a label",
            "splits": ", ".join(splits),
            "images": "yes" if result.pixels else reason,
            "licence": result.licence,
            "files of rows": f"{result.files:,}, {gigabytes(result.size)}",
            "fingerprint": result.fingerprint,
        }
    )


def _upload(repo: str | None, out: Path, kind: str) -> None:
    echo(f"\nRead {out / 'README.md'} first. Then: hf upload {repo or 'OWNER/NAME'} {out} --repo-type {kind}", dim=True)
