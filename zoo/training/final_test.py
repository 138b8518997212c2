"""After the last epoch: the chosen weights are loaded from disk, test is scored once, and the report is written."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ferdata.schema import SPLITS
from zoo.evaluation import calibration, charts, predictions, report
from zoo.evaluation.inference import score
from zoo.models import build, xgboost_head
from zoo.models.load import load_model
from zoo.run import model_file
from zoo.run.model_file import Meta
from zoo.run.run_folder import write_whole
from zoo.training.state import Job, Run, State
from zoo.training.validation import keep


def finish(job: Job, state: State) -> Run:
    """Fit the temperature on val, score test, and write report, pictures and card. Only the leading process does."""
    if not job.leads:
        return Run(job.folder.path, {})
    job.fabric.logger.finalize("success")
    net, meta = load_model(job.folder.model, with_trees=False)
    net.to(job.fabric.device)
    judged = grow(job, net, meta) if job.config.head == "xgboost" else net
    raw = {
        split: score(judged, job.parts[split].pixels, meta.mean, meta.std, meta.tta, what=what)
        for split, what in (("val", "Calibrating"), ("test", "Testing"))
    }
    meta = replace(meta, temperature=calibration.temperature(raw["val"], job.parts["val"].hard.numpy()))
    model_file.save(job.folder.model, net, meta)
    result = report.build(meta, job.rows, job.parts["test"], raw["test"], split="test", tta=meta.tta)
    result["protocol"]["leak_check"] = {**job.leak, "allowed": job.config.allow_leak}
    result["protocol"]["notes"] = job.notes
    result["parameters"] = build.parameters(net)
    result["training"] = _training(job, state)
    if judged is not net:  # are trees the better classifier? the head that the net was trained with is scored too
        test = job.parts["test"]
        p = score(net, test.pixels, meta.mean, meta.std, meta.tta, what="Testing the linear head")
        result["linear_head"] = {"accuracy": float((p.argmax(1) == test.hard.numpy()).mean())}
    scored = {s: (job.parts[s].where, calibration.apply(p, meta.temperature)) for s, p in raw.items()}
    predictions.save(job.folder.predictions, predictions.gather(meta, job.rows, scored))
    write_whole(job.folder.curves, charts.curves(state.history, state.best_epoch))
    report.write(job.folder, meta, result)
    job.folder.last.unlink(missing_ok=True)  # a finished run is not gone on with
    return Run(job.folder.path, result)


def grow(job: Job, net: nn.Module, meta: Meta) -> nn.Module:
    """Fit trees on the features of train, stopped on val; save them, and return the net with them behind it."""
    features, labels = {}, {}
    for split in ("train", "val"):
        images = job.parts[split]
        known = torch.nonzero(images.hard >= 0).flatten()
        whole = images.pixels if len(known) == len(images) else images.pixels[known]
        features[split] = xgboost_head.features(net, whole, meta.mean, meta.std)
        labels[split] = images.hard[known].numpy()
    found = xgboost_head.fit(
        features["train"], labels["train"], features["val"], labels["val"], meta.classes, seed=job.config.seed
    )
    xgboost_head.save(job.folder.trees, found)
    return xgboost_head.WithTrees(net, found)


def _training(job: Job, state: State) -> dict[str, Any]:
    """Return how training went, for the report."""
    config = job.config
    return {
        "epochs": sum(row["images"] for row in state.history) / len(job.parts["train"]),
        "steps": state.step,
        "seconds": round(state.schedule.elapsed, 1),
        "device": str(job.fabric.device),
        "devices": config.devices,
        "precision": config.precision,
        **{f"n_{split}": len(job.parts[split]) for split in SPLITS},
    }


def interrupted(job: Job, state: State) -> str:
    """Leave the best checkpoint, or the present weights where no epoch has ended; return how it stands."""
    manifest = job.folder.absolute(job.config.manifest)
    more = f"Go on with: ferdata train --manifest {manifest} --out {job.folder.path} --resume"
    if not state.best_epoch:
        keep(job, state, {"epoch": 0})
        return f"{job.folder.model} has the weights as they were, in the first epoch and not validated.\n{more}"
    value = state.history[state.best_epoch - 1].get(f"val_{job.config.select}", 0.0)
    what = f"the best of {len(state.history)} (val {job.config.select} {value:.4f})"
    return f"{job.folder.model} is of epoch {state.best_epoch}, {what}; test was not scored.\n{more}"
