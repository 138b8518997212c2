"""After the last epoch: the chosen weights are loaded from disk, test is scored once, and the report is written."""

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from ferdata.schema import SPLITS
from zoo.augment import own_ranges
from zoo.data import sampler
from zoo.data.rows import Images, class_weights
from zoo.evaluation import calibration, predictions, report
from zoo.evaluation.inference import features, score
from zoo.models import build, xgboost_head
from zoo.models.load import load_model
from zoo.options.options import TrainConfig
from zoo.run import model_file
from zoo.run.model_file import Meta
from zoo.training import sanity_checks
from zoo.training.overrun import closing
from zoo.training.state import Run, RunContext, TrainState
from zoo.training.validation import keep


def finish(context: RunContext, state: TrainState) -> Run:
    """Fit the temperature on val, score test, and write report, charts and card. Only the leading process does."""
    if not context.leads:
        return Run(context.folder.path, {})
    with sanity_checks.memory_to_finish(context.config, context.folder.path):
        return _finish(context, state)


def _finish(context: RunContext, state: TrainState) -> Run:
    context.fabric.logger.finalize("success")
    net, meta = load_model(context.folder.model, with_trees=False, device=str(context.fabric.device))
    judged = grow(context, net, meta) if context.config.head == "xgboost" else net
    raw = {
        split: score(judged, context.parts[split].pixels, meta.mean, meta.std, meta.tta, what=what)
        for split, what in (("val", "Calibrating"), ("test", "Testing"))
    }
    temperature, said = calibration.fit(raw["val"], context.parts["val"].hard.numpy())
    meta = replace(meta, temperature=temperature)
    result = report.build(meta, context.rows, context.parts["test"], raw["test"], split="test", tta=meta.tta)
    meta = replace(meta, caution=result["caution"])
    model_file.save(context.folder.model, net, meta)
    result["protocol"]["leak_check"] = {**context.leak, "allowed": context.config.allow_leak}
    result["protocol"]["notes"] = [*context.notes, *filter(None, [said])]
    result["parameters"] = build.parameters(net)
    result["training"] = _training(context, state)
    if judged is not net:  # are trees the better classifier? the head that the net was trained with is scored too
        test = context.parts["test"]
        p = score(net, test.pixels, meta.mean, meta.std, meta.tta, what="Testing the linear head")
        result["linear_head"] = {"accuracy": float((p.argmax(1) == test.hard.numpy()).mean())}
    scored = {s: (context.parts[s].where, calibration.apply(p, meta.temperature)) for s, p in raw.items()}
    predictions.save(context.folder.predictions, predictions.gather(meta, context.rows, scored))
    report.write(context.folder, meta, result)
    if said:
        context.say(said)
    context.folder.last.unlink(missing_ok=True)  # a finished run is not gone on with
    return Run(context.folder.path, result)


def grow(context: RunContext, net: nn.Module, meta: Meta) -> nn.Module:
    """Fit trees on the features of train, stopped on val; save them, and return the net with them behind it."""
    train, val = context.parts["train"], context.parts["val"]
    counts = tree_weights(context.config, train, context.dataset_ids).numpy()
    image, label = np.nonzero(counts)
    read, seen = (features(net, images.pixels, meta.mean, meta.std) for images in (train, val))
    found = xgboost_head.fit(
        read[image],
        label,
        seen,
        val.hard.numpy(),
        meta.classes,
        weights=counts[image, label],
        seed=context.config.seed,
    )
    xgboost_head.save(context.folder.trees, found)
    return xgboost_head.WithTrees(net, found)


def tree_weights(config: TrainConfig, train: Images, dataset_ids: Tensor) -> Tensor:
    """Return how much each train image counts for each class when trees are grown, float32 (n, classes).

    As for the net, in the mean over many epochs: the class's share of the target (under `targets` probability the class
    is drawn by it; under multi_target right classes have equal ones), times the class's weight, times how often the
    sampler shows the image. An image that counts for several classes is one row of the trees' for each: of these,
    gradients and second derivatives add up to those of cross entropy against the shares.
    """
    shares = train.soft / train.soft.sum(1, keepdim=True).clamp(min=1e-12)
    weights = class_weights(train.soft, config.class_weights, config.weight_cap)
    if weights is not None:
        shares = shares * weights
    return shares * sampler.expected(config.sampler, train.hard, dataset_ids)[:, None].float()


def _training(context: RunContext, state: TrainState) -> dict[str, Any]:
    """Return how training went, for the report."""
    config = context.config
    images = sum(row["images"] for row in state.history)
    return {
        "images": int(images),
        # What an epoch is made of leaves out the last batch where that is short: three epochs are 3, not 2.7.
        "epochs": images / (context.steps * config.batch),
        "steps": state.step,
        "seconds": round(state.schedule.elapsed, 1),
        "closing": closing(state.schedule, context.fabric.device.type == "cpu"),
        "device": str(context.fabric.device),
        "devices": config.devices,
        "precision": config.precision,
        "augmentation": own_ranges.in_words(config),
        **{f"n_{split}": len(context.parts[split]) for split in SPLITS},
    }


def interrupted(context: RunContext, state: TrainState) -> str:
    """Leave the best checkpoint, or the present weights where no epoch has ended; return how it stands."""
    manifest = context.folder.absolute(context.config.manifest)
    more = f"Continue with: ferdata train --manifest {manifest} --out {context.folder.path} --resume"
    if not state.best_epoch:
        keep(context, state, {"epoch": 0})
        return f"{context.folder.model} has the weights of the unfinished first epoch, not validated.\n{more}"
    value = state.history[state.best_epoch - 1].get(f"val_{context.config.select}", 0.0)
    what = f"the best of {len(state.history)} (val {context.config.select} {value:.4f})"
    return f"{context.folder.model} is of epoch {state.best_epoch}, {what}; test was not scored.\n{more}"
