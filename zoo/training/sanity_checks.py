"""What training refuses: a leaky manifest, splits that cannot work, wrongly scaled input, a net that has given up."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor

from ferdata.duplicates.scenes import SCENE_COLUMNS, are_scenes
from ferdata.errors import BadOption, BrokenRun, Leak
from ferdata.known import contaminated
from ferdata.known import contamination as known
from ferdata.training_data.split_advice import how_to_split, redraw
from zoo.data.rows import Rows, shared
from zoo.options.options import TrainConfig
from zoo.run.memory import elsewhere, enough

# A net that answers with the class frequencies whatever it sees. The "24 %" of many lab notes is this one: FER2013's
# majority share is 25.1 % and the entropy of its class frequencies 1.81 nats.
SHARE_MARGIN = 0.01
ENTROPY_MARGIN = 0.02
# Val chooses among epochs by an accuracy whose 95 % interval is this wide, either way, at worst (accuracy one half).
FEWEST_VAL = 20  # 22 points: nothing is chosen but luck
FAIR_VAL = 385  # 5 points
FEW_SCENES = 0.05  # of the images: as many are noise, more are what the net would learn from
# What normalised pixels may deviate by. Under the 0.5 and 0.5 of many published weights grey faces come to 0.5, and
# flat ones to less; pixels that were scaled twice come to 0.004.
FLATTEST, STEEPEST = 0.2, 2.0
CAUSES = (
    "Known causes: pixels scaled twice (1/255 before a net that scales by itself); mean and std of other images; "
    "a rate so high that the net died (try --lr a tenth of it) or so low that nothing moves; a net without "
    "normalisation layers at that rate; targets shuffled against the images."
)


def check_splits(rows: Rows, where: dict[str, NDArray[np.intp]]) -> None:
    """Raise BadOption unless each split has labelled rows and train has two classes or more."""
    name = rows.manifest.path
    for split, found in where.items():
        if len(found):
            continue
        present = int((rows.split == split).sum())
        reason = f"{present:,} rows are in it, none with a target" if present else "no row is in it"
        use = {"train": "learn from", "val": "choose a checkpoint on", "test": "score at the end"}[split]
        raise BadOption(
            f"{name} has no {split} split to {use}: {reason} (column {rows.split_source}).",
            how_to_split(rows.manifest, rows.table),
        )
    classes = int((rows.soft[where["train"]].sum(0) > 0).sum())
    if classes < 2:
        raise BadOption(
            f"The train split of {name} has one class only, so that there is nothing to tell apart.",
            "Choose other datasets, or another taxonomy: ferdata merge --taxonomy basic7",
        )


def check_classes(rows: Rows, where: Mapping[str, NDArray[np.intp]]) -> list[str]:
    """Return a word on classes without any image. Raises BadOption for one that train lacks and val or test has."""
    classes = rows.taxonomy.classes
    taught = rows.soft[where["train"]].sum(0) > 0
    asked = {split: np.bincount(rows.hard[where[split]], minlength=len(classes)) for split in ("val", "test")}
    unknown = [c for c, name in enumerate(classes) if not taught[c] and any(n[c] for n in asked.values())]
    if unknown:
        named = ", ".join(
            f"{classes[c]} ({', '.join(f'{int(n[c])} in {split}' for split, n in asked.items())})" for c in unknown
        )
        path = rows.manifest.path
        raise BadOption(
            f"Train has no image of {named}: it could never be answered (split as in column {rows.split_source}).",
            f"Leave the class out: ferdata merge {path} --taxonomy basic7, or a taxonomy of your own.\n"
            f"Or: {redraw(rows.manifest, rows.table)}",
        )
    absent = [name for c, name in enumerate(classes) if not taught[c]]
    return [f"No image of {', '.join(absent)} in any split: the net will never say it."] if absent else []


def check_scenes(rows: Rows, where: Mapping[str, NDArray[np.intp]]) -> list[str]:
    """Return a note on a few images that show more than a face. Raises BadOption where they are more than a few."""
    used = np.concatenate(list(where.values()))
    scenes = int(are_scenes(rows.manifest.table(*SCENE_COLUMNS))[used].sum())
    if not scenes:
        return []
    counted = f"{scenes:,} of {len(used):,} images are scenes: they show more than the face that the label is of"
    hint = f"Cut out the faces: ferdata align {rows.manifest.path} -o aligned.parquet"
    if scenes > FEW_SCENES * len(used):
        raise BadOption(f"{counted}.", hint)
    return [f"{counted}. {hint}"]


def check_val(rows: Rows, images: int, select: str) -> list[str]:
    """Return a word on a val split that chooses little better than luck. Raises BadOption for one that is too small."""
    margin = 196 * math.sqrt(0.25 / max(images, 1))
    if select == "last" or images >= FAIR_VAL:
        return []
    margin_note = f"Val has {images} images, so that an accuracy on it is known to about {margin:.0f} points either way"
    if images < FEWEST_VAL:
        raise BadOption(
            f"{margin_note}: epochs cannot be told apart by it.",
            "Take the last epoch's weights and choose nothing: --select last.\n"
            f"Or give val more images. {redraw(rows.manifest, rows.table)}",
        )
    return [f"{margin_note}: smaller differences between epochs are noise."]


def check_norm(config: TrainConfig) -> None:
    """Raise BadOption for statistics that would be kept before any image has gone into them."""
    if config.norm != "train" and not (config.pretrained or config.weights or config.init):
        raise BadOption(
            f"--norm {config.norm} keeps the statistics of batch normalisation, and a net from scratch has none.",
            "Use --norm train, or begin with weights: --pretrained, --weights FILE or --init RUN.",
        )


def memory(config: TrainConfig) -> AbstractContextManager[None]:
    """Return a guard that raises BadOption, with what to try, where memory does not hold a batch that is learnt from.

    What needs memory for another reason stands inside a guard of its own: the innermost speaks.
    """
    return enough(
        config.device,
        f"for a batch of {config.batch} images of {config.size} px ({config.precision})",
        f"Try {_halved(config)}"
        + ("" if config.precision.startswith("bf16") else "; --precision bf16-mixed")
        + f"; or a smaller --size than {config.size}.",
    )


def memory_to_begin(config: TrainConfig) -> AbstractContextManager[None]:
    """Return such a guard for what comes before the first step: net, optimizer and images are brought to the device."""
    return enough(
        config.device,
        f"for {config.backbone} at {config.size} px and the images that it learns from",
        f"Try a smaller --size than {config.size} or a smaller --backbone. {elsewhere(config.device)}",
    )


def memory_to_recalibrate(config: TrainConfig) -> AbstractContextManager[None]:
    """Return such a guard for the statistics of batch normalisation, estimated in whole float32."""
    return enough(
        config.device,
        f"to estimate statistics on batches of {config.batch} images of {config.size} px",
        f"Try {_halved(config)}; --norm frozen, which estimates none; or a smaller --size than {config.size}.",
    )


def memory_to_finish(config: TrainConfig, folder: Path) -> AbstractContextManager[None]:
    """Return such a guard for what comes after the last epoch: the weights that were chosen lie in `folder`."""
    return enough(
        config.device,
        "to score test and write the report",
        f"The best epoch's weights are kept. {elsewhere(config.device)} Then: ferdata evaluate {folder} --device cpu",
    )


def _halved(config: TrainConfig) -> str:
    return f"--batch {max(2, config.batch // 2)} --set accumulate={2 * config.accumulate}, which makes the same steps"


def check_leak(rows: Rows, where: dict[str, NDArray[np.intp]], allow: bool) -> dict[str, int]:
    """Return how many val and test rows have duplicates in train, and test rows in val.

    Alike are rows of one group (same pixels, face, subject or clip) or of equal pixels. Raises Leak if train shares
    with val or test, unless that is allowed; two held-out splits that share only make val a little less honest.
    """
    found = {
        "val_in_train": shared(rows, where["train"], where["val"]),
        "test_in_train": shared(rows, where["train"], where["test"]),
        "test_in_val": shared(rows, where["val"], where["test"]),
    }
    if not allow and (found["val_in_train"] or found["test_in_train"]):
        path = rows.manifest.path
        raise Leak(
            f"{found['test_in_train']:,} test and {found['val_in_train']:,} val images of {path} "
            f"have duplicates in train (by group or by pixels; split as in column {rows.split_source}).",
            f"Remove the overlap: ferdata merge {path} -o merged.parquet\n"
            "Or add --allow-leak, and the report will say so.",
        )
    return found


def check_contamination(rows: Rows, where: Mapping[str, NDArray[np.intp]]) -> list[str]:
    """Return a note on faces of train that are in the official test of a known dataset that is not in the manifest."""
    train = np.zeros(len(rows.table), np.bool_)
    train[where["train"]] = True
    found = contaminated(rows.manifest.table(*known.COLUMNS), train, list(rows.manifest.sources))
    return [f"{known.told(found.counts)}."] if found.counts else []


def check_proposals(rows: Rows, where: Mapping[str, NDArray[np.intp]]) -> list[str]:
    """Return a note on labels of train that are a net's proposals and not the publishers'."""
    proposed = rows.table["proposed_label"].take(pa.array(where["train"]))
    if proposed.null_count == len(proposed):
        return []
    return [
        f"{len(proposed) - proposed.null_count:,} of {len(proposed):,} train labels are a net's proposals "
        "(ferdata merge --relabel-by), not the publishers'."
    ]


def check_scale(images: Tensor, allow: bool = False) -> list[str]:
    """Raise BadOption unless normalised `images` (n, C, H, W) have about the spread that nets are initialised for.

    Where that is allowed, return a note instead; images that are no finite numbers are never allowed.
    """
    mean, std = float(images.mean()), float(images.std())
    if math.isfinite(std) and FLATTEST <= std <= STEEPEST and abs(mean) <= 1.5:
        return []
    found = (
        f"Normalised training images have mean {mean:.2f} and standard deviation {std:.4f}, "
        f"where a net needs about 0 and 1 ({FLATTEST} to {STEEPEST:g})."
    )
    if allow and math.isfinite(mean) and math.isfinite(std):
        return [f"{found} That was allowed (--allow-scale)."]
    raise BadOption(
        found,
        "The pixels are scaled twice, or the mean and std are another dataset's, or the images are all but blank: "
        "look at them with `ferdata stats`. To see what a net makes of them all the same: --allow-scale",
    )


def check_loss(loss: float, epoch: int) -> None:
    """Raise BrokenRun for a loss that is no number."""
    if not math.isfinite(loss):
        raise BrokenRun(
            f"The loss became {loss} in epoch {epoch}.",
            "Try a lower --lr (a tenth of it), or --precision 32-true."
            + " The best checkpoint so far is kept." * (epoch > 1),
        )


def is_prior(accuracy: float, loss: float, probabilities: NDArray[np.float32], baseline: dict[str, float]) -> bool:
    """Say whether a net answers the same whatever it sees.

    Either its accuracy and loss are those of the class frequencies, or its probabilities (n, classes) hardly differ
    between images, which also finds it where class weights moved the frequencies.
    """
    as_prior = (
        abs(accuracy - baseline["majority_share"]) <= SHARE_MARGIN
        and abs(loss - baseline["prior_entropy"]) <= ENTROPY_MARGIN
    )
    return as_prior or (len(probabilities) > 1 and float(probabilities.std(0).max()) < 1e-3)


def check_collapse(seen: list[bool], accuracy: float, loss: float, baseline: dict[str, float]) -> None:
    """Raise BrokenRun if the net only answered with the prior in each of the last two epochs."""
    if len(seen) >= 2 and all(seen[-2:]):
        raise BrokenRun(
            f"After {len(seen)} epochs the net answers the same whatever it sees: val accuracy {accuracy:.1%} and loss "
            f"{loss:.3f}, where the majority-class baseline is {baseline['majority_share']:.1%} "
            f"and the class frequencies {baseline['prior_entropy']:.3f}.",
            CAUSES,
        )
