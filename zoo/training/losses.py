"""What training makes small: cross entropy, FER+'s rule for several right classes, and remedies for rare classes."""

from collections.abc import Callable

import torch
from torch import Tensor

from ferdata.errors import BadOption, choose_one
from zoo.options.options import TrainConfig

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES = ("cross_entropy", "focal")
RAREST = 1e-4  # the least share that a class counts with under logit adjustment: one that is absent has no logarithm


def build(options: TrainConfig, class_weights: Tensor | None, prior: Tensor) -> Loss:
    """Return the loss: a function of logits (B, classes) and targets (B, classes) to their mean, a scalar.

    `class_weights` (classes,) multiply each class's part; `prior` (classes,) is the share of each class in train. Both
    are moved to where the logits are. Logits may be of any float type; sums are formed in float32.

    - cross_entropy: -sum t log p, the targets smoothed to t (1 - s) + s / classes (Szegedy et al. 2015, arXiv
      1512.00567).
    - focal: each part times (1 - p)^gamma, which leaves more to what is still wrong (Lin et al. 2017, arXiv
      1708.02002).
    - targets multi_target: -log of the largest p among the right classes, so that any of them will do (Barsoum et al.
      2016, arXiv 1608.01041; microsoft/FERPlus, src/train.py). The reference gives the others 0.001 against log 0,
      which a log-softmax does not need.
    - logit_adjustment tau: tau log prior is added to the logits in training alone, so that a rare class must win by
      more (Menon et al. 2020, arXiv 2007.07314).

    Raises BadOption for a combination that has no meaning.
    """
    if options.loss not in LOSSES:
        raise BadOption(f"There is no loss {options.loss!r}.", choose_one(options.loss, LOSSES))
    several = options.targets == "multi_target"
    if several and (options.smoothing or options.mixup or options.cutmix):
        raise BadOption(
            "Targets multi_target ask for any one of the right classes, so there is nothing to smooth or mix.",
            "Set smoothing, mixup and cutmix to 0, or choose --targets crossentropy.",
        )
    gamma = options.focal_gamma if options.loss == "focal" else 0.0
    shift = options.logit_adjustment * prior.float().clamp(min=RAREST).log() if options.logit_adjustment else None
    smoothing = options.smoothing

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        z = logits.float()
        if shift is not None:
            z = z + shift.to(z.device)
        log_p = z.log_softmax(1)
        cost = -log_p if not gamma else -log_p * (1 - log_p.exp()).clamp(min=0) ** gamma
        if several:
            best = log_p.masked_fill(target <= 0, -torch.inf).argmax(1, keepdim=True)
            part = cost.gather(1, best)
            if class_weights is not None:
                part = part * class_weights.to(z.device)[best]
            return part.mean()
        t = target.float()
        if smoothing:
            t = t * (1 - smoothing) + smoothing / t.shape[1]
        if class_weights is not None:
            t = t * class_weights.to(z.device)
        return (t * cost).sum(1).mean()

    return loss
