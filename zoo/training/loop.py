"""The loop: epoch after epoch, each learnt from, validated, kept if it is the best, and saved to go on from."""

import time
from collections.abc import Iterator

import torch
from torch import Tensor

from ferdata.running import progress
from zoo.data import sampler, targets
from zoo.data.batches import Batch
from zoo.data.mixing import mix
from zoo.models import heads
from zoo.training import freezing, resume_checkpoint, sanity_checks
from zoo.training.final_test import finish, interrupted
from zoo.training.optimizer import clip
from zoo.training.schedule import rate
from zoo.training.state import Job, Run, State, number_of
from zoo.training.validation import keep_if_best, line, score_of, validate, write_history

LOOK = 20  # steps between looks at the loss: each look makes a GPU wait
ORDER, TARGETS, MIXING, NET = range(4)  # what random numbers are for: each has its own


def run(job: Job, state: State) -> Run:
    """Run the epochs that are left, score test and write the report. Every process of a run comes here."""
    try:
        with sanity_checks.memory(job.config):
            fit(job, state)
            return finish(job, state)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(interrupted(job, state)) from None


def fit(job: Job, state: State) -> None:
    """Run epochs until the steps, the clock or patience end it."""
    batches = begin_epoch(job, state)
    while not state.over:
        learnt = learn_epoch(job, state, batches)
        state.epoch += 1
        batches = begin_epoch(job, state)  # made while val is scored
        scored = validate(job, state)
        if scored is None:  # the time was over before val was
            return
        row = {"epoch": state.epoch, **learnt, **scored}
        state.history.append(row)
        sanity_checks.check_loss(row["val_loss"], state.epoch)
        better = keep_if_best(job, state, row)
        turn = move_on(job, state, row)
        write_history(job, state)
        resume_checkpoint.save(job, state)
        for said in (line(row, better), *turn):
            job.say(said)
        sanity_checks.check_collapse(state.collapsed, row["val_accuracy"], row["val_loss"], job.baseline)


def begin_epoch(job: Job, state: State) -> Iterator[Batch]:
    """Draw the order of the coming epoch, and set the loader to work on its first batches."""
    train, config = job.parts["train"], job.config
    order = sampler.order(config.sampler, train.hard, job.dataset_ids, seeded(job, state, ORDER))
    mine = order[: job.steps * config.batch].view(job.steps, config.devices, -1)[:, job.fabric.global_rank]
    return job.loader.epoch(mine.reshape(-1), state.epoch)


def seeded(job: Job, state: State, purpose: int) -> torch.Generator:
    """Return random numbers that hang on the seed, the epoch and the purpose alone: a resumed run draws the same."""
    return torch.Generator().manual_seed(number_of(job.config.seed, state.epoch, purpose))


def learn_epoch(job: Job, state: State, batches: Iterator[Batch]) -> dict[str, float]:
    """Learn from every image once, or until the time is over; return rate, loss, accuracy and speed."""
    config, rank = job.config, job.fabric.global_rank
    torch.manual_seed(number_of(config.seed, state.epoch, NET, rank))  # dropout's numbers
    mixing = torch.Generator().manual_seed(number_of(config.seed, state.epoch, MIXING, rank))
    drawn = None
    if config.targets == "probability":
        drawn = targets.draw(job.parts["train"].soft, seeded(job, state, TARGETS))
    freezing.train_mode(state.net, job.norms, config.norm)
    sums = torch.zeros(3, device=job.fabric.device)  # of losses, of hits, of images
    group: list[tuple[Tensor, Tensor]] = []
    started, seen, note = time.perf_counter(), 0, ""
    with progress.bar(f"Epoch {state.epoch + 1}", job.steps * config.batch, "images") as advance:
        for batch in batches:
            if not group and (at := how_far(job, state)) >= 1:
                break
            soft = batch.soft if drawn is None else drawn[batch.where].to(batch.soft.device)
            group.append(mix(batch.x, soft, config.mixup, config.cutmix, mixing))
            seen += config.batch
            if len(group) == config.accumulate:
                set_rate(job, state, at)
                sums += learn(job, state, group)
                group = []
            if state.step % LOOK == 0:
                note = f"loss {look(sums, state.epoch + 1):.3f}"
            advance(config.batch, note)
    return summary(job, state, sums, seen, time.perf_counter() - started)


def learn(job: Job, state: State, group: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Make one step from a group of batches; return float32 (3,): sum of losses, hits and images."""
    sums = gradients(job, state, group)
    if state.sam is not None:
        state.sam.step(lambda: gradients(job, state, group), state.optimiser)
    clip(job.fabric, state.net, state.optimiser, job.config.clip)
    state.optimiser.step()
    state.optimiser.zero_grad()
    if state.ema is not None:
        state.ema.update()
    state.step += len(group)
    return sums


def gradients(job: Job, state: State, group: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Run forward and back over a group of batches, adding up their gradients; return as `learn` does."""
    sums = torch.zeros(3, device=job.fabric.device)
    for number, (x, soft) in enumerate(group, 1):
        with job.fabric.no_backward_sync(state.net, enabled=number < len(group)):
            out = state.net(x)
            logits, others = (out[0], out[1:]) if isinstance(out, tuple) else (out, ())
            value = job.loss(logits, soft)
            whole = value + sum(job.config.aux_weight * job.loss(other, soft) for other in others)
            if job.config.head_l2 and (extra := heads.penalty(state.bare)) is not None:
                whole = whole + extra
            job.fabric.backward(whole / len(group))
        # Under FER+'s multi_target several classes are right: any of them is a hit.
        answered = soft.gather(1, logits.detach().argmax(1, keepdim=True))[:, 0]
        hits = (answered >= soft.amax(1)).sum()
        sums += torch.stack([value.detach() * len(x), hits, torch.full_like(hits, len(x))])
    return sums


def how_far(job: Job, state: State) -> float:
    """Return how far the run is, 0..1, as the leading process has it: all must stop at the same step."""
    at = state.schedule.progress(state.step)
    if job.config.devices > 1 and job.config.time_limit is not None:
        shared = torch.tensor([at], device=job.fabric.device)
        torch.distributed.broadcast(shared, src=0)
        at = float(shared)
    return at


def set_rate(job: Job, state: State, at: float) -> None:
    """Give every group of parameters its share of the rate that the stage's schedule asks for."""
    stage = job.stages[state.stage]
    if stage.flat:
        state.rate = stage.lr
    else:
        through = (at - state.stage_progress) / max(1 - state.stage_progress, 1e-9)
        epochs = (state.step - state.stage_step) / job.steps
        state.rate = rate(job.config, through, epochs, stage.lr, state.plateau.share)
    for group in state.optimiser.param_groups:
        group["lr"] = state.rate * group["scale"]


def look(sums: Tensor, epoch: int) -> float:
    """Return the mean loss so far. Raises BrokenRun if it is no number."""
    total, _, images = sums.tolist()
    sanity_checks.check_loss(total, epoch)
    return float(total / max(images, 1))


def summary(job: Job, state: State, sums: Tensor, seen: int, seconds: float) -> dict[str, float]:
    """Return the epoch's figures, over all devices."""
    if job.config.devices > 1:
        torch.distributed.all_reduce(sums)
    mean = look(sums, state.epoch + 1)
    return {
        "lr": state.rate,
        "train_loss": mean,
        "train_accuracy": float(sums[1] / sums[2].clamp(min=1)),
        "images": seen,
        "images_per_second": seen / max(seconds, 1e-9),
    }


def move_on(job: Job, state: State, row: dict[str, float]) -> list[str]:
    """Decide whether the run is over, or the next stage begins; return words on it. Each stage has its own patience."""
    config, stage, score = job.config, job.stages[state.stage], score_of(job.config, row)
    # Where nothing is chosen, the loss says how it goes.
    state.plateau.look(-row["val_loss"] if config.select == "last" else score[0], config)
    state.stage_epochs += 1
    better = score > state.stage_best
    state.stage_best, state.stale = (score, 0) if better else (state.stage_best, state.stale + 1)
    impatient = bool(config.patience) and config.select != "last" and state.stale >= config.patience
    at = how_far(job, state)
    if at >= 1 or state.epoch >= (config.epochs or 0):
        state.over = True
    elif state.stage + 1 == len(job.stages):
        state.over = impatient
        return [f"No better epoch since epoch {state.epoch - state.stale}: stopped."] * impatient
    elif impatient or state.stage_epochs >= (stage.epochs or 0):
        return [next_stage(job, state, at)]
    return []


def next_stage(job: Job, state: State, at: float) -> str:
    """Begin the next stage, by opening its blocks, and say so. The optimiser and its moments stay."""
    state.stage, state.stage_epochs, state.stage_best, state.stale = state.stage + 1, 0, (), 0
    stage = job.stages[state.stage]
    if stage.fresh:
        state.stage_step, state.stage_progress = state.step, at
    freezing.set_open(state.bare, job.blocks, stage.open)
    return f"From epoch {state.epoch + 1} on: training {stage.name}."
