"""`last.ckpt`: all that a run needs to go on from its last whole epoch, after a kill at any moment. Never unpickled."""

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ferdata.errors import BadOption, BrokenRun
from ferdata.running.whole_file import write_whole
from zoo.options.options import TrainConfig
from zoo.run import model_file
from zoo.run.memory import elsewhere, is_out_of_memory
from zoo.run.model_file import Meta
from zoo.training.state import RunContext, TrainState

FORMAT = 2
# What the loop carries as plain numbers, as they are named in TrainState.
PLAIN = (
    *("epoch", "step", "rate", "best", "best_epoch", "stage", "stage_epochs", "stage_step", "stage_progress"),
    *("stage_best", "stale", "over", "collapsed", "history"),
)
AGAIN = "Begin the run anew with --force, or choose another --out."


def begin_folder(context: RunContext, state: TrainState, resume: bool) -> None:
    """Write down what is to be done, for who goes on after a kill; that costs no more than an epoch from here on.

    An earlier run, which this one replaces, stays whole until there are weights to replace it with: `take_over`.
    """
    if not context.leads:
        return
    earlier = not state.best_epoch and context.folder.model.is_file()
    if resume or earlier:
        context.folder.tidy()
    else:
        context.folder.clear()
    if not resume:
        save(context, state)
    if not earlier:
        write_whole(context.folder.config, context.config.toml())


def take_over(context: RunContext) -> None:
    """Remove what an earlier run has left beside the first weights of this one, which have just been written."""
    context.folder.clear(but=(context.folder.model, context.folder.last))
    write_whole(context.folder.config, context.config.toml())


def save(context: RunContext, state: TrainState) -> None:
    """Write `last.ckpt`, whole or not at all. Random numbers hang on seed and epoch alone, and need no keeping.

    Of tensors and plain values only, so that it can be read without unpickling. Raises CannotWrite.
    """
    if not context.leads:
        return
    schedule = state.schedule
    plain = {name: getattr(state, name) for name in PLAIN}
    clock = {"elapsed": schedule.elapsed, "trained": schedule.trained, "estimates": schedule.estimates}
    scaler = getattr(context.fabric._precision, "scaler", None)
    whole = {
        "format": FORMAT,
        "config": json.dumps(context.config.as_dict()),
        "meta": model_file.as_text(context.meta),
        "state": json.dumps({**plain, "plateau": vars(state.plateau), "clock": clock}),
        "net": state.bare.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "ema": None if state.ema is None else state.ema.state_dict(),
        "scaler": None if scaler is None else scaler.state_dict(),
    }
    file = io.BytesIO()
    torch.save(whole, file)
    write_whole(context.folder.last, file.getbuffer())


def read(path: Path) -> dict[str, Any]:
    """Read `last.ckpt`, its tensors on the CPU. Raises BrokenRun for a file that is damaged or not ours."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a foreign pickle is of an unusual protocol
            found = torch.load(path, "cpu", weights_only=True)
        if found["format"] != FORMAT:
            raise BrokenRun(f"{path} is of format {found['format']}; this ferdata resumes {FORMAT}.", AGAIN)
        config: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(found["config"]).items()
        }
        return {
            **found,
            "config": TrainConfig(**config),
            "meta": model_file.from_text(found["meta"]),
            "state": json.loads(found["state"]),
        }
    except BrokenRun:
        raise
    except BadOption as error:
        raise BrokenRun(f"{path} cannot be resumed from: {error.message}", AGAIN) from None
    except Exception as error:
        if is_out_of_memory(error):
            raise BadOption(f"Memory is not enough to read {path}.", elsewhere("cpu")) from None
        # A pickle that would run something ends here too: weights_only takes tensors and plain values alone. On a
        # damaged file torch's reader stumbles over whatever comes next, with errors of any kind.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BrokenRun(f"{path} cannot be resumed from: {reason}", AGAIN) from None


def check_manifest(before: Meta, fingerprint: str, folder: Path) -> None:
    """Raise BrokenRun unless the manifest is the one that the run began with."""
    if before.fingerprint != fingerprint:
        raise BrokenRun(
            f"The run in {folder} began on another manifest (fingerprint {before.fingerprint[:8]}, now "
            f"{fingerprint[:8]}).",
            "Resume it with the manifest as it was, or begin another run with another --out.",
        )


def restore(saved: Mapping[str, Any], context: RunContext, state: TrainState) -> None:
    """Put what was saved back into net, optimizer, average, schedule and counters. Raises BrokenRun."""
    try:
        state.bare.load_state_dict(saved["net"])
        state.optimizer.load_state_dict(saved["optimizer"])
        if state.ema is not None:
            state.ema.load_state_dict(saved["ema"])
        scaler = getattr(context.fabric._precision, "scaler", None)
        if scaler is not None and saved["scaler"]:
            scaler.load_state_dict(saved["scaler"])
        plain = saved["state"]
        for name in PLAIN:
            value = plain[name]
            setattr(state, name, tuple(value) if name in ("best", "stage_best") else value)
        state.plateau = type(state.plateau)(**plain["plateau"])
        state.schedule.resume(**plain["clock"])
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        raise BrokenRun(
            f"{context.folder.last} does not fit its own run: {str(error).splitlines()[0]}", AGAIN
        ) from None
