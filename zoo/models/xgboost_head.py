"""Gradient-boosted trees behind a net: its features in, probabilities out (`--head xgboost`).

The net is trained with a linear head first. The trees then read the features (N, head_hidden_size) that it makes of
whole, unvaried pictures in eval mode: those of an augmented epoch, which the net has learnt by heart, would tell them
that it is always sure. Saved as xgboost's own UBJSON beside the weights, never as a pickle.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ferdata.errors import BadOption, BrokenRun, MissingExtra
from ferdata.running import progress
from ferdata.running.documents import parse_json
from ferdata.running.extras import install
from ferdata.running.plain_file import read_plain
from ferdata.running.whole_file import write_whole

if TYPE_CHECKING:
    from xgboost import Booster

NAME = "trees.ubj"  # beside model.safetensors
KEY = "ferdata"
FORMAT = 1
AGAIN = "Train again with --set head=xgboost, or take the run's folder as training left it."


@dataclass(frozen=True)
class Trees:
    """Trees and their own order of classes: `own` are the positions, in `classes`, of those that train had.

    `width` is the number of features they read.
    """

    booster: "Booster"
    classes: tuple[str, ...]
    own: tuple[int, ...]
    width: int

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, classes) of features (n, width), in the order of `classes`; what train lacked has 0.

        Raises BrokenRun for features of another net.
        """
        from xgboost import DMatrix

        if features.ndim != 2 or features.shape[1] != self.width:
            raise BrokenRun(f"The trees read {self.width} features, not {features.shape[1:]}.", AGAIN)
        full = np.zeros((len(features), len(self.classes)), np.float32)
        if len(features):
            full[:, list(self.own)] = self.booster.predict(DMatrix(features))
        return full


def fit(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    val_features: NDArray[np.float32],
    val_labels: NDArray[np.int64],
    classes: Sequence[str],
    *,
    weights: NDArray[np.float32] | None = None,
    rounds: int = 1000,
    patience: int = 25,
    depth: int = 4,
    rate: float = 0.1,
    seed: int = 0,
) -> Trees:
    """Grow trees on features (n, width) and labels (n,), positions in `classes`, until val's loss stops falling.

    It stops after `patience` rounds without a better one, and keeps the trees up to the best. Val's images of a class
    that train lacks say nothing of when to stop, and are left out of that. `weights` (n,) weigh images. The paper that
    the idea is from gives no settings; these are common ones. Raises BadOption if train or val has too few classes.
    """
    own = np.unique(labels)
    known = np.isin(val_labels, own)
    if len(own) < 2 or not known.any():
        raise BadOption(
            f"Trees cannot be grown: train has {len(own)} class(es), and val {int(known.sum())} image(s) of them.",
            "Take another split, or --set head=linear.",
        )
    xgboost = _xgboost()
    parameters = {
        "objective": "multi:softprob",
        "num_class": len(own),
        "eval_metric": "mlogloss",
        "tree_method": "hist",
        "max_depth": depth,
        "learning_rate": rate,
        "subsample": 0.8,
        "colsample_bytree": 0.5,
        "seed": seed,
    }
    train = xgboost.DMatrix(features, np.searchsorted(own, labels), weight=weights)
    val = xgboost.DMatrix(val_features[known], np.searchsorted(own, val_labels[known]))
    with _growing(rounds) as watching:
        booster = xgboost.train(
            parameters,
            train,
            rounds,
            evals=[(val, "val")],
            early_stopping_rounds=patience,
            callbacks=[watching],
            verbose_eval=False,
        )
    best = booster[: booster.best_iteration + 1]
    return Trees(best, tuple(classes), tuple(own.tolist()), features.shape[1])


@contextmanager
def _growing(rounds: int) -> Iterator[Any]:
    """Yield a callback of xgboost's that moves a progress bar."""
    with progress.bar("Growing trees", rounds, "rounds") as advance:

        class Watching(_xgboost().callback.TrainingCallback):  # type: ignore[misc]  # xgboost is untyped
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002  # xgboost's
                advance(1, f"val loss {evals_log['val']['mlogloss'][-1]:.3f}")
                return False

        yield Watching()


def _xgboost() -> Any:
    try:
        import xgboost
    except ImportError:
        raise MissingExtra("Trees need xgboost.", install("train")) from None
    return xgboost


def save(path: Path, trees: Trees) -> None:
    """Write the trees, with their classes in them, whole or not at all. Raises CannotWrite."""
    header = {"format": FORMAT, "classes": trees.classes, "own": trees.own, "width": trees.width}
    trees.booster.set_attr(**{KEY: json.dumps(header, ensure_ascii=False)})
    write_whole(path, bytes(trees.booster.save_raw("ubj")))


def load(path: Path) -> Trees:
    """Read what `save` wrote. Raises BrokenRun for a file that is missing, damaged or not ours."""
    xgboost = _xgboost()
    try:
        booster = xgboost.Booster(model_file=bytearray(read_plain(path)))
        header = parse_json(booster.attr(KEY) or "{}")
        if header.get("format") != FORMAT:
            raise BrokenRun(f"{path} holds trees, but not ferdata's of format {FORMAT}.", AGAIN)
        trees = Trees(booster, tuple(header["classes"]), tuple(header["own"]), int(header["width"]))
    except OSError as error:
        raise BrokenRun(f"The trees of this run, {path}, cannot be read: {error.strerror}.", AGAIN) from None
    except (xgboost.core.XGBoostError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = "it is no whole model of xgboost's" if isinstance(error, xgboost.core.XGBoostError) else str(error)
        raise BrokenRun(f"{path} is damaged: {reason}.", AGAIN) from None
    if not all(isinstance(n, int) and 0 <= n < len(trees.classes) for n in trees.own):
        raise BrokenRun(f"{path} is damaged: its classes {trees.own} are not among {len(trees.classes)}.", AGAIN)
    return trees


class WithTrees(nn.Module):
    """A net whose last layer is passed over: its features go to the trees.

    It returns logarithms of the probabilities, of which softmax gives these back; so it is scored, averaged over views
    and tempered as any net is. It has no gradient and cannot be exported as one graph.
    """

    def __init__(self, net: nn.Module, trees: Trees) -> None:
        super().__init__()
        self.net, self.trees = net, trees

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images (B, C, H, W) to logits, float32 (B, classes); -inf for a class that train lacked."""
        p = self.trees.probabilities(read_by_last(self.net, x).cpu().numpy())
        return torch.from_numpy(p).log().to(x.device)


def attach(net: nn.Module, path: Path, classes: Sequence[str]) -> WithTrees:
    """Return the net with the trees of `path` behind it. Raises BrokenRun if they are of other classes."""
    trees = load(path)
    if trees.classes != tuple(classes):
        raise BrokenRun(
            f"The trees' classes are {', '.join(trees.classes)}; those of the weights are {', '.join(classes)}.", AGAIN
        )
    return WithTrees(net, trees)


def read_by_last(net: nn.Module, x: Tensor) -> Tensor:
    """Return what the last layer reads of normalised images (B, C, H, W), float32 (B, width): a map's mean."""
    caught: list[Tensor] = []
    last = net.get_classifier()  # type: ignore[operator]  # timm's contract
    hook = last.register_forward_pre_hook(lambda _, given: caught.append(given[0]))
    try:
        net(x)
    finally:
        hook.remove()
    made = caught[0].float()
    return made if made.ndim == 2 else made.flatten(2).mean(2)
