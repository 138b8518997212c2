"""The command line: parse, call one step, print. Each command is a file; it is imported when it is asked for."""

import contextlib
import errno
import importlib
import importlib.metadata
import io
import os
import platform
import signal
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import click

from ferdata import __version__
from ferdata.cli.layout import echo, prose
from ferdata.cli.pipes import as_far_as_read, send_nowhere
from ferdata.errors import FerdataError, FerdataWarning, did_you_mean, shortened
from ferdata.running import progress, settings

DONE, FAILED, USAGE, FINDINGS, INTERRUPTED = 0, 1, 2, 3, 130

# Heading -> name -> (module, what it does), in the order of the work. Held here so that --help imports no command.
GROUPS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Data": {
        "datasets": ("datasets", "Who may have which dataset, how to obtain it, how yours differ."),
        "ingest": ("ingest", "Read a dataset's folder into a manifest."),
        "align": ("align", "Find each face and cut it upright onto one template."),
        "group": ("group", "Which rows show the same picture, person or clip."),
        "merge": ("merge", "Manifests into one: one taxonomy, splits without leaks."),
        "split": ("split", "A merged manifest split anew: ratios, folds, a frozen list."),
        "share": ("share", "Everything of a manifest but the pixels, to pass on."),
        "rehydrate": ("rehydrate", "A shared manifest, rebuilt on your own copy."),
        "publish": ("publish", "A manifest or a run as a folder for the Hugging Face Hub."),
    },
    "Quality": {
        "show": ("show", "What a manifest holds, from where, and how it was made."),
        "validate": ("validate", "Check a manifest against every rule of the schema."),
        "stats": ("stats", "Class balance: counts, shares, imbalance, weights; with a plot."),
        "known": ("known", "Indexes of known faces: whose faces a folder holds."),
        "audit": ("audit", "Find problems in images, labels and splits."),
        "review": ("review", "See and correct a manifest in the FiftyOne App."),
    },
    "Models": {
        "zoo": ("zoo", "The backbones and recipes: size, weights, published figures."),
        "augment": ("augment", "A contact sheet of what an augmentation policy does to faces."),
        "train": ("train", "Train a backbone on a manifest's train split, chosen on val."),
        "evaluate": ("evaluate", "Evaluate a trained run on a split."),
        "adopt": ("adopt", "A model that others trained, as a run: judged like your own."),
        "compare": ("compare", "Runs side by side: is the difference real?"),
        "doubt": ("doubt", "A claimed accuracy: can it be, and what did others report?"),
        "ablate": ("ablate", "Does an option matter? Several seeds each, one answer."),
        "matrix": ("matrix", "Which dataset to train on? Each tested on every one, one answer."),
        "predict": ("predict", "Label the faces in pictures, videos or a camera with a run."),
        "export": ("export", "A run as one ONNX file, compared with it on real faces."),
    },
    "This tool": {
        "demo": ("demo", "The whole path on faces it draws itself, in about a minute."),
        "doctor": ("doctor", "What is installed and found here, and what to do about the rest."),
        "pack": ("pack", "Decode a manifest's images into the cache, ahead of train."),
        "cache": ("cache", "What the cache holds, its limit, and how to clear it."),
        "completion": ("completion", "Have the Tab key complete commands, options and names."),
    },
}
COMMANDS: Mapping[str, tuple[str, str]] = {name: told for group in GROUPS.values() for name, told in group.items()}
VERSIONS = (
    *("numpy", "opencv-python-headless", "pandas", "pyarrow", "torch", "torchvision", "timm", "albumentations"),
    *("fiftyone", "cleanlab", "onnx", "onnxruntime", "xgboost", "ray"),
)
COMPLETE = "_FERDATA_COMPLETE"  # set by a shell that asks what the Tab key completes

EPILOG = """\b
Start here:
  ferdata demo
  ferdata ingest ferplus --root path/to/FERPlus
  ferdata merge manifests/ferplus.parquet -o manifests/merged.parquet
  ferdata train --manifest manifests/merged.parquet
"""


class LazyGroup(click.Group):
    """A group that knows its commands' names and help, and imports a command only to run it."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the group's own options, of which --help and --version print."""
        with as_far_as_read():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        chosen = settings.apply()
        ctx.default_map = dict.fromkeys(COMMANDS, chosen)
        with as_far_as_read():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command `cmd_name`."""
        if cmd_name not in COMMANDS:
            return None
        if COMPLETE in os.environ:
            from ferdata.cli.completion.kept import kept

            return kept(cmd_name)
        command: click.Command = importlib.import_module(f"ferdata.cli.{COMMANDS[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands by what they are for, without importing any."""
        width = max(map(len, COMMANDS))
        for heading, group in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<{width}}", text) for name, (_, text) in group.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which names are close."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"There is no command {args[0]!r}. {did_you_mean(args[0], COMMANDS)}".rstrip())
        return super().resolve_command(ctx, args)


def _versions(context: click.Context, option: click.Parameter, wanted: bool) -> None:  # noqa: ARG001  # of a callback
    """Print the versions that a result hangs on, and exit."""
    if not wanted or context.resilient_parsing:
        return
    here = [f"ferdata {__version__}", f"Python {platform.python_version()}"]
    for name in VERSIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            here.append(f"{name} {importlib.metadata.version(name)}")
    echo("\n".join(here))
    context.exit()


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_versions, help="Show versions.")
@click.option("-q", "--quiet", is_flag=True, help="Results and errors alone: no bars, no epochs, no next steps.")
def cli(quiet: bool) -> None:
    """From the facial-expression datasets you downloaded to a manifest you can trust and a model you can defend."""
    if quiet:
        os.environ[progress.QUIET] = "1"


def main() -> None:
    """Run the command line and exit: 0 done, 1 our error, 2 usage, 3 findings, 130 interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what schedulers and containers send ends it as Ctrl-C
    if not sys.warnoptions:
        os.environ["PYTHONWARNINGS"] = "ignore"  # of the processes that this one starts
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors go to stderr as a message and a hint."""
    try:
        with warnings.catch_warnings():
            _show_no_raw_warnings()
            code = cli.main(arguments, prog_name="ferdata", standalone_mode=False)
            with as_far_as_read():
                sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except click.exceptions.Exit as end:
        return end.exit_code
    except FerdataError as error:
        prose(f"Error: {error.message}", err=True, fg="red")
        prose(error.hint, err=True)
        return FAILED
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        echo(shortened(text.getvalue()).rstrip(), err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as interruption:
        # Click turns a KeyboardInterrupt into an Abort without its words.
        state = str(interruption) or str(interruption.__cause__ or "") or "Nothing half-written is left."
        prose(f"Interrupted. {state}", err=True)
        return INTERRUPTED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        send_nowhere(sys.stdout)
        echo("Error: nothing more can be written: the disk is full.\nFree some space.", err=True)
        return FAILED


def _show_no_raw_warnings() -> None:
    """Have our own warnings shown as notes, and those of libraries, about their insides, not at all.

    Whoever wants them asks Python for them: `python -W default -m ferdata.cli ...`, or PYTHONWARNINGS.
    """
    if sys.warnoptions:
        return
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", FerdataWarning)
    warnings.showwarning = _note


def _note(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """Print a warning as people read it; where in the code it was raised is no help to them."""
    del category, filename, lineno, file, line
    prose(f"Note: {message}", err=True)
