"""The running average of a net's weights, which often scores better than the weights of any one step."""

from typing import Any

import torch
from torch import Tensor, nn


class Ema:
    """Keeps the average of a net's weights and buffers, which lie on the net's own device.

    An update moves the average by 1 - d towards the net, with d = min(decay, (1 + t) / (10 + t)) at update t: without
    that warm-up a short run's average would still hold its first, random weights. Float buffers, BatchNorm's statistics
    among them, are averaged too; counters are copied. A copy of the net costs as much memory again.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        """Start from the net as it is; `decay` is 0 to 1, such as 0.999."""
        self.net, self.decay, self.updates = net, decay, 0
        now = {name: t.detach() for name, t in net.state_dict().items()}
        self.average = {name: t.clone() for name, t in now.items()}
        self.own: dict[str, Tensor] = {}
        # Listed once: the net's tensors stay where they are, and walking through its modules takes longer than to add.
        floats = [name for name, t in now.items() if t.is_floating_point()]
        self.floats = [self.average[name] for name in floats], [now[name] for name in floats]
        counters = [name for name in now if name not in set(floats)]
        self.counters = [self.average[name] for name in counters], [now[name] for name in counters]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the net's present weights: once per optimizer step."""
        self.updates += 1
        rate = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(*self.floats, rate)
        if self.counters[0]:
            torch._foreach_copy_(*self.counters)

    @torch.no_grad()
    def store(self) -> None:
        """Put the average into the net, and lay the net's own weights aside until `restore`. Raises RuntimeError."""
        if self.own:
            raise RuntimeError("The average is in the net already.")
        for name, now in self.net.state_dict().items():
            self.own[name] = now.detach().clone()
            now.copy_(self.average[name])

    @torch.no_grad()
    def restore(self) -> None:
        """Give the net its own weights back; without `store` before, nothing happens."""
        for name, now in self.net.state_dict().items():
            if self.own:
                now.copy_(self.own[name])
        self.own = {}

    def state_dict(self) -> dict[str, Any]:
        """Return what a stopped run needs to go on: the average, and how many updates made it."""
        return {"average": dict(self.average), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`'s form."""
        self.updates = int(state["updates"])
        for name, average in self.average.items():
            average.copy_(state["average"][name])
