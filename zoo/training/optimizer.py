"""The optimizer: any of timm's, in groups by depth; gradients clipped; sharpness-aware steps on top of any of them."""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import timm.optim.muon
import torch
from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers
from torch import Tensor, nn

from ferdata.errors import BadOption, did_you_mean
from zoo.options.options import TrainConfig
from zoo.run.device import has_bf16

MOMENTUM = 0.9  # everybody's default
# They need CUDA libraries of their own, or second derivatives.
UNUSABLE = ("bnb*", "fused*", "adahessian")
NEWTON_SCHULZ = timm.optim.muon.zeropower_via_newtonschulz


def names() -> list[str]:
    """Return the optimizers that can be named: "sgd" is with Nesterov's momentum, "momentum" without."""
    return [str(name) for name in list_optimizers(exclude_filters=UNUSABLE)]


def build(net: nn.Module, blocks: Sequence[Sequence[str]], options: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimizer of all the net's parameters, frozen ones too: those have no gradient, and do not move.

    `blocks` are the names of the parameters from stem to head, whole blocks, the last being the head. Each group has
    a "scale" that the rate of the schedule is to be multiplied with: `layer_decay` to the power of the number of
    blocks behind it (1 for the head). Biases and normalisation layers, which have one dimension, are not decayed.
    Raises BadOption.
    """
    name, decay = options.optimizer or "sgd", options.weight_decay or 0.0
    _check(name, options)
    named = dict(net.named_parameters())
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for i, block in enumerate(blocks):
        scale = options.layer_decay ** (len(blocks) - 1 - i)
        for parameter in block:
            p = named.pop(parameter)
            key = (scale, decay if p.ndim > 1 else 0.0)
            fresh = {"params": [], "scale": scale, "weight_decay": key[1], "lr": (options.lr or 0.0) * scale}
            groups.setdefault(key, fresh)["params"].append(p)
    if named:
        raise RuntimeError(f"No block has the parameters {', '.join(named)}.")
    info = get_optimizer_info(name)
    given = {"lr": options.lr, "momentum": options.momentum, **_for_gpu(info.opt_class, options)}
    if info.opt_class is timm.optim.Muon and not has_bf16(options.device):
        return MuonInFloat32(list(groups.values()), **given, **(info.defaults or {}))
    made: torch.optim.Optimizer = create_optimizer_v2(list(groups.values()), opt=name, **given)
    return made


def _for_gpu(kind: type, options: TrainConfig) -> dict[str, bool]:
    """Return what makes an optimizer's step few launches on a GPU, and one that can be recorded, where it has that.

    Under fp16 its scaler asks after each step whether the gradients were finite, so that nothing can be recorded.
    """
    if options.device != "cuda" or options.precision == "16-mixed":
        return {}
    return {name: True for name in ("capturable", "fused") if name in inspect.signature(kind).parameters}


def can_be_recorded(optimizer: torch.optim.Optimizer) -> bool:
    """Say whether all of a step happens on the device, whose rates may be tensors there (torch.cuda.graph's rule)."""
    groups = optimizer.param_groups
    fused = isinstance(optimizer, torch.optim.SGD)  # which has no word for it, and needs none
    return all(group.get("fused" if fused else "capturable") for group in groups)


def rates_on(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Hold the rates of all groups on a device, where a recorded step reads them anew each time."""
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(float(group["lr"]), device=device)


def set_rates(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of parameters its share of a rate."""
    for group in optimizer.param_groups:
        share = rate * group["scale"]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(share)
        else:
            group["lr"] = share


class MuonInFloat32(timm.optim.Muon):  # type: ignore[misc]  # timm has no types
    """timm's Muon (Jordan et al. 2024) with its Newton-Schulz steps in float32, where bfloat16 would be emulated.

    timm's always run in bfloat16: without AVX-512 BF16 or AMX one 256 x 2,304 matrix takes 760 ms, in float32 24
    (AMD EPYC, two cores held to AVX2). The function has an argument for it, which timm's optimizer does not pass on.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step."""
        timm.optim.muon.zeropower_via_newtonschulz = functools.partial(NEWTON_SCHULZ, dtype=torch.float32)
        try:
            return super().step(closure)
        finally:
            timm.optim.muon.zeropower_via_newtonschulz = NEWTON_SCHULZ


def _check(name: str, options: TrainConfig) -> None:
    """Raise BadOption for an optimizer that there is not, or that cannot take the options."""
    if name not in names():
        hint = did_you_mean(name, names()) or "Take sgd, adamw, or another that timm lists."
        raise BadOption(f"There is no optimizer {name!r}.", hint.strip())
    if options.momentum != MOMENTUM and not get_optimizer_info(name).has_momentum:
        raise BadOption(
            f"The optimizer {name} has no momentum to set to {options.momentum}.",
            f"Leave momentum at {MOMENTUM}, or choose --optimizer sgd.",
        )


def clip(fabric: Any, net: nn.Module, optimizer: Any, longest: float) -> None:
    """Shorten the gradient of all parameters together to `longest`, if it is longer; 0 leaves it alone.

    `fabric` knows by how much fp16 has scaled the gradients. One that is not finite stays so, for the scaler to skip.
    """
    if longest:
        fabric.clip_gradients(net, optimizer, max_norm=longest, error_if_nonfinite=False)


class Sam:
    """Sharpness-aware steps (Foret et al. 2020, arXiv 2010.01412), around any optimizer.

    A step takes gradients twice: at the weights, and at the weights moved by `rho` along the first gradient, to where
    the loss is worst near by; only the second moves them. It costs twice the time. Gradients that fp16 has scaled need
    no unscaling, since the way up depends on their direction alone.
    """

    def __init__(self, net: nn.Module, rho: float) -> None:
        self.net, self.rho = net, rho
        self.moved: tuple[list[Tensor], list[Tensor]] = ([], [])  # parameters, and what they were

    def step(self, gradients: Callable[[], Any], optimizer: Any) -> None:
        """Leave the second gradients in the net, weights as they were, for the caller to clip and step with.

        `gradients` runs forward and backward on the whole batch, every accumulated part of it, adding to the gradients;
        it is called once more here, its first call having been made by the caller. BatchNorm's running statistics are
        those of the first pass: moved weights leave no trace in them.
        """
        self.climb()
        optimizer.zero_grad()
        try:
            with held_statistics(self.net):
                gradients()
        finally:
            self.descend()

    @torch.no_grad()
    def climb(self) -> None:
        """Move the weights by rho along their gradient; stay, where that is zero.

        Along one that is not finite they go nowhere that counts: fp16's scaler skips such a step, and `descend` puts
        them back.
        """
        found: list[Tensor] = [p for p in self.net.parameters() if p.grad is not None]
        if not found:
            return
        grads = [p.grad for p in found if p.grad is not None]
        length = torch.nn.utils.get_total_norm(grads)
        reach = torch.where(length > 0, self.rho / length, torch.zeros_like(length))
        self.moved = found, [torch.empty_like(p) for p in found]
        torch._foreach_copy_(self.moved[1], found)
        torch._foreach_add_(found, list(torch._foreach_mul(grads, reach)))

    @torch.no_grad()
    def descend(self) -> None:
        """Put every weight back, to the bit."""
        if self.moved[0]:
            torch._foreach_copy_(*self.moved)
        self.moved = [], []


@contextmanager
def held_statistics(net: nn.Module) -> Iterator[None]:
    """Let BatchNorm normalise by the batch as in training, but keep its running statistics as they are."""
    layers = [
        m
        for m in net.modules()
        if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training and m.track_running_stats
    ]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
