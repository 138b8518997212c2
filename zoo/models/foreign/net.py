"""A foreign model as one of our nets: fed and read as its card says, so that every use of a run is a use of it."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ferdata.errors import BadOption, BrokenRun, listed
from zoo.models.foreign.signature import Runner, in_words

TOLERANCE = 0.01  # what probabilities may differ from 1 by, in sum
PROBED = 16  # drawn pictures that are asked what comes out


class ForeignNet(nn.Module):
    """Takes what our nets take, float32 (n, channels, H, W) in RGB, normalised; returns logits, float32 (n, classes).

    Of probabilities it returns the logarithms, whose softmax they are. It computes on the processor, or where its own
    engine does, and hands the result back to where the pictures were.
    """

    def __init__(
        self, runner: Runner, classes: tuple[str, ...], layout: str, order: str, output: str, name: str
    ) -> None:
        """Wrap an opened model; the words are the card's."""
        super().__init__()
        self._runner, self._classes, self._name = runner, classes, name
        self._layout, self._order, self._output = layout, order, output
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)  # so that it can be asked where it is

    @property
    def whole_numbers(self) -> bool:
        """Whether it takes pixels as they are, uint8, so that there is no other scale of them."""
        return bool(self._runner.signature.dtype == np.uint8)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits. Raises BadOption, BrokenRun for what is no answer."""
        out = torch.from_numpy(self.raw(x)).to(x.device)
        if self._output == "logits":
            return out
        _check_sums(out, self._name)
        return out.clamp(min=torch.finfo(out.dtype).tiny).log()

    def in_torch(self) -> nn.Module | None:
        """Return the same net in torch alone, as an export traces it; None where another engine computes."""
        inner = getattr(self._runner, "net", None)
        return InTorch(inner, self._order, self._output) if isinstance(inner, nn.Module) else None

    def raw(self, x: Tensor) -> NDArray[np.float32]:
        """Return what comes out of the model, float32 (n, classes). Raises BadOption, BrokenRun."""
        out = self._in_batches(self._as_input(x))
        if len(out) != len(x) or out[0].size != len(self._classes):
            hint = "Name its classes in the order of its outputs with --classes, one for each."
            if out.size == len(x) * len(self._classes):
                hint = (
                    "Its graph is made for one picture at a time, and says any number: export it with that fixed to 1."
                )
            raise BadOption(
                f"{self._name} gives {in_words(out.shape)} for {len(x)} pictures, and there are "
                f"{len(self._classes)} classes: {listed(self._classes)}.",
                hint,
            )
        out = np.ascontiguousarray(out.reshape(len(x), -1))
        if lost := int((~np.isfinite(out)).any(1).sum()):
            raise BrokenRun(
                f"{self._name} gives no numbers (NaN or infinity) for {lost:,} of {len(x):,} pictures.",
                "Its input may be scaled otherwise (--pixels), or its file be broken.",
            )
        return out

    def _as_input(self, x: Tensor) -> NDArray[Any]:
        """Return a batch as the model takes it: channels, axes and type."""
        if self._order == "BGR" and x.shape[1] == 3:
            x = x.flip(1)
        if self._layout == "NHWC":
            x = x.permute(0, 2, 3, 1)
        images = x.detach().float().cpu().contiguous().numpy()
        kind = self._runner.signature.dtype
        return images.round().clip(0, 255).astype(kind) if kind == np.uint8 else images.astype(kind, copy=False)

    def _in_batches(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return the outputs of all, in the batches that the model takes; the last picture fills up the last one."""
        size = self._runner.signature.batch
        if size is None:
            return self._runner(images)
        parts = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            out = self._runner(np.concatenate([part, *[part[-1:]] * (size - len(part))]))
            # Some leave the batch out of their answer: its number is fixed, so that it can be told.
            parts.append(out.reshape(size, -1)[: len(part)] if out.size % size == 0 else out)
        return np.concatenate(parts)


class InTorch(nn.Module):
    """A net of torch's between our pictures and logits, as ForeignNet feeds and reads it."""

    def __init__(self, net: nn.Module, order: str, output: str) -> None:
        super().__init__()
        self.net, self.backwards, self.logits = net, order == "BGR", output == "logits"

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, float32 (n, classes), for float32 (n, channels, H, W)."""
        out: Tensor = self.net(x[:, [2, 1, 0]] if self.backwards and x.shape[1] == 3 else x).float()
        return out if self.logits else out.clamp(min=torch.finfo(out.dtype).tiny).log()


def _check_sums(out: Tensor, name: str) -> None:
    """Raise BrokenRun unless every row is probabilities."""
    total = out.sum(1)
    if (out < 0).any() or not torch.allclose(total, torch.ones_like(total), atol=TOLERANCE):
        raise BrokenRun(
            f"What {name} gives are no probabilities: they lie from {out.min():.3g} to {out.max():.3g}, and are "
            f"{total[0]:.3g} in sum.",
            "Adopt it with --output logits.",
        )


def output_of(net: ForeignNet, size: int, channels: int, mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    """Return what comes out of a net, by drawn pictures: `probabilities` where all are 0 or more and sum to 1.

    `sigmoid` where all lie in 0..1 and do not sum to 1, `logits` for anything else.
    """
    drawn = torch.rand(PROBED, channels, size, size, generator=torch.Generator().manual_seed(0))
    x = (drawn - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    out = net.raw(x)
    if not (out >= 0).all():
        return "logits"
    if np.allclose(out.sum(1), 1, atol=TOLERANCE):
        return "probabilities"
    return "sigmoid" if (out <= 1).all() else "logits"
