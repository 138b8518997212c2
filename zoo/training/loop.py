"""The loop: epoch after epoch, each learnt from, validated, kept if it is the best, and saved to go on from."""

import time
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from ferdata.errors import BadOption
from ferdata.running import progress
from zoo.data import sampler, targets
from zoo.data.batches import Batch
from zoo.data.mixing import mix
from zoo.models import heads
from zoo.training import freezing, resume_checkpoint, sanity_checks
from zoo.training.distributed import of_the_leader
from zoo.training.final_test import finish, interrupted
from zoo.training.optimizer import can_be_recorded, clip, set_rates
from zoo.training.recorded import Group
from zoo.training.schedule import Plateau, rate
from zoo.training.state import Run, RunContext, TrainState, number_of
from zoo.training.validation import keep_if_best, line, score_of, train_line, validate, write_history

LOOK = 20  # steps between looks at the loss: each look makes a GPU wait
ORDER, TARGETS, MIXING, NET = range(4)  # what random numbers are for: each has its own


def run(context: RunContext, state: TrainState) -> Run:
    """Run the epochs that are left, score test and write the report. Every process of a run comes here."""
    try:
        with sanity_checks.memory(context.config):
            fit(context, state)
            return finish(context, state)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(interrupted(context, state)) from None


def fit(context: RunContext, state: TrainState, validation: bool = True) -> None:
    """Run epochs until the steps, the clock or patience end it.

    Without `validation` nothing is chosen or written: stages and plateaus go by the loss on train.
    """
    batches = begin_epoch(context, state)
    while not state.over:
        learnt = learn_epoch(context, state, batches)
        state.schedule.stop()
        if not learnt["images"]:  # the time limit ended before the first batch
            return out_of_time(state)
        state.epoch += 1
        batches = begin_epoch(context, state)  # made while val is scored
        row = {"epoch": state.epoch, **learnt}
        if not validation:
            end_of_epoch(context, state, {**row, "val_loss": row["train_loss"]})
            context.say(train_line(row))
        elif (scored := validate(context, state)) is None:  # the time limit ended before val was scored
            return
        else:
            keep_epoch(context, state, {**row, **scored})


def out_of_time(state: TrainState) -> None:
    """End a run in an epoch that had no time for a batch. Raises BadOption if there was no epoch before it."""
    if not state.step:
        raise BadOption(
            f"The time limit ended after {state.schedule.elapsed:.1f} s, before the first training step.",
            "Raise --time-limit, or train a smaller net.",
        )
    state.over = True


def keep_epoch(context: RunContext, state: TrainState, row: dict[str, float]) -> None:
    """Keep what an epoch left: its figures, its weights if they are the best, and all that a run goes on from."""
    state.history.append(row)
    sanity_checks.check_loss(row["val_loss"], state.epoch)
    better = keep_if_best(context, state, row)
    news = end_of_epoch(context, state, row)
    if state.recorder is not None and state.recorder.refused and state.epoch == 1:
        news.append(f"Training without CUDA graphs, since the steps could not be recorded: {state.recorder.refused}")
    write_history(context, state)
    resume_checkpoint.save(context, state)
    for text in (line(row, better, state.only_answer), *news):
        context.say(text)
    sanity_checks.check_collapse(state.collapsed, row["val_accuracy"], row["val_loss"], context.baseline)


def begin_epoch(context: RunContext, state: TrainState) -> Iterator[Batch]:
    """Draw the order of the coming epoch, and set the loader to work on its first batches."""
    train, config = context.parts["train"], context.config
    order = sampler.order(config.sampler, train.hard, context.dataset_ids, seeded(context, state, ORDER))
    mine = order[: context.steps * config.batch].view(context.steps, config.devices, -1)[:, context.fabric.global_rank]
    return context.loader.epoch(mine.reshape(-1), state.epoch)


def seeded(context: RunContext, state: TrainState, purpose: int) -> torch.Generator:
    """Return random numbers that hang on the seed, the epoch and the purpose alone: a resumed run draws the same."""
    return torch.Generator().manual_seed(number_of(context.config.seed, state.epoch, purpose))


def learn_epoch(context: RunContext, state: TrainState, batches: Iterator[Batch]) -> dict[str, float]:
    """Learn from every image once, or until the time is over; return rate, loss, accuracy and speed."""
    config, rank = context.config, context.fabric.global_rank
    torch.manual_seed(number_of(config.seed, state.epoch, NET, rank))  # dropout's numbers
    mixing = torch.Generator().manual_seed(number_of(config.seed, state.epoch, MIXING, rank))
    drawn = None
    if config.targets == "probability":
        drawn = targets.draw(context.parts["train"].soft, seeded(context, state, TARGETS)).to(context.fabric.device)
    freezing.train_mode(state.net, context.norms, config.norm)
    sums = torch.zeros(3, device=context.fabric.device)  # of losses, of hits, of images
    group: list[tuple[Tensor, Tensor]] = []
    started, seen, note = time.perf_counter(), 0, ""
    with progress.bar(f"Epoch {state.epoch + 1}", context.steps * config.batch, "images") as advance:
        for batch in batches:
            if not group and (at := how_far(context, state)) >= 1:
                break
            soft = batch.soft if drawn is None else drawn[batch.where]
            group.append(mix(batch.x, soft, config.mixup, config.cutmix, mixing))
            seen += config.batch
            if len(group) == config.accumulate:
                set_rate(context, state, at)
                sums += optimizer_step(context, state, group)
                group = []
            if state.step % LOOK == 0 and not group:  # in a group, there may be no loss yet
                note = f"loss {mean_loss(sums, state.epoch + 1):.3f}"
            advance(config.batch, note)
    return summary(state, sums, seen, time.perf_counter() - started)


def optimizer_step(context: RunContext, state: TrainState, group: Group) -> Tensor:
    """Make one step from a group of batches; return float32 (3,): sum of losses, hits and images."""
    whole = can_be_recorded(state.optimizer)
    work = partial(step_weights if whole else gradients, context, state)
    sums = work(group) if state.recorder is None else state.recorder.run(work, state.stage, group)
    if not whole:
        state.optimizer.step()
    if state.ema is not None:
        state.ema.update()
    state.step += len(group)
    return sums


def step_weights(context: RunContext, state: TrainState, group: Group) -> Tensor:
    """Form gradients and step along them; return as `optimizer_step` does."""
    sums = gradients(context, state, group)
    state.optimizer.step()
    return sums


def gradients(context: RunContext, state: TrainState, group: Group) -> Tensor:
    """Leave the gradients of a group of batches, clipped, in the net; return as `optimizer_step` does."""
    state.optimizer.zero_grad()
    sums = forward_backward(context, state, group)
    if state.sam is not None:
        state.sam.step(lambda: forward_backward(context, state, group), state.optimizer)
    clip(context.fabric, state.net, state.optimizer, context.config.clip)
    return sums


def forward_backward(context: RunContext, state: TrainState, group: Group) -> Tensor:
    """Run forward and back over a group of batches, adding up their gradients; return as `optimizer_step` does."""
    sums = torch.zeros(3, device=context.fabric.device)
    for number, (x, soft) in enumerate(group, 1):
        with context.fabric.no_backward_sync(state.net, enabled=number < len(group)):
            out = state.net(x)
            logits, others = (out[0], out[1:]) if isinstance(out, tuple) else (out, ())
            value = context.loss(logits, soft)
            whole = value + sum(context.config.aux_weight * context.loss(other, soft) for other in others)
            if context.config.head_l2 and (extra := heads.penalty(state.bare)) is not None:
                whole = whole + extra
            context.fabric.backward(whole / len(group))
        # Under FER+'s multi_target several classes are right: any of them is a hit.
        answered = soft.gather(1, logits.detach().argmax(1, keepdim=True))[:, 0]
        hits = (answered >= soft.amax(1)).sum()
        sums += torch.stack([value.detach() * len(x), hits, torch.full_like(hits, len(x))])
    return sums


def how_far(context: RunContext, state: TrainState) -> float:
    """Return how far the run is, 0..1, as the leading process has it: all must stop at the same step."""
    return of_the_leader(state.schedule.progress(state.step), context.config)


def set_rate(context: RunContext, state: TrainState, at: float) -> None:
    """Give every group of parameters its share of the rate that the stage's schedule asks for."""
    stage = context.stages[state.stage]
    if stage.flat:
        state.rate = stage.lr
    else:
        through = (at - state.stage_progress) / max(1 - state.stage_progress, 1e-9)
        epochs = (state.step - state.stage_step) / context.steps
        state.rate = rate(context.config, through, epochs, stage.lr, state.plateau.share)
    set_rates(state.optimizer, state.rate)


def mean_loss(sums: Tensor, epoch: int) -> float:
    """Return the mean loss so far, over all devices. Raises BrokenRun, on all of them, if it is no number."""
    total, _, images = over_devices(sums).tolist()
    sanity_checks.check_loss(total, epoch)
    return float(total / max(images, 1))


def over_devices(sums: Tensor) -> Tensor:
    """Return the sum of all devices' `sums`, in which each of them sees what another one's have come to."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return sums
    whole = sums.clone()
    torch.distributed.all_reduce(whole)
    return whole


def summary(state: TrainState, sums: Tensor, seen: int, seconds: float) -> dict[str, float]:
    """Return the epoch's figures, over all devices."""
    total, hits, images = over_devices(sums).tolist()
    sanity_checks.check_loss(total, state.epoch + 1)
    return {
        "lr": state.rate,
        "train_loss": total / max(images, 1),
        "train_accuracy": hits / max(images, 1),
        "images": seen,
        "images_per_second": seen / max(seconds, 1e-9),
    }


def end_of_epoch(context: RunContext, state: TrainState, row: dict[str, float]) -> list[str]:
    """Decide whether the run is over, or the next stage begins; return words on it. Each stage has its own patience."""
    config, stage, score = context.config, context.stages[state.stage], score_of(context.config, row)
    # Where nothing is chosen, the loss says how it goes.
    state.plateau.look(-row["val_loss"] if config.select == "last" else score[0], config)
    state.stage_epochs += 1
    better = score > state.stage_best
    state.stage_best, state.stale = (score, 0) if better else (state.stage_best, state.stale + 1)
    impatient = bool(config.patience) and config.select != "last" and state.stale >= config.patience
    at = how_far(context, state)
    if at >= 1 or state.epoch >= (config.epochs or 0):
        state.over = True
    elif state.stage + 1 == len(context.stages):
        state.over = impatient
        return [f"No better epoch since epoch {state.epoch - state.stale}: stopped."] * impatient
    elif impatient or state.stage_epochs >= (stage.epochs or 0):
        return [next_stage(context, state, at)]
    return []


def next_stage(context: RunContext, state: TrainState, at: float) -> str:
    """Begin the next stage, by opening its blocks, and say so. The optimizer and its moments stay."""
    state.stage, state.stage_epochs, state.stage_best, state.stale = state.stage + 1, 0, (), 0
    state.plateau = Plateau()
    stage = context.stages[state.stage]
    if stage.fresh:
        state.stage_step, state.stage_progress = state.step, at
    freezing.set_open(state.bare, context.blocks, stage.open)
    return f"From epoch {state.epoch + 1} on: training {stage.name}."
