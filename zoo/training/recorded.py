"""A step as one launch: what a GPU does in it is recorded in a CUDA graph, and then repeated.

A small net is a few hundred short kernels, and to launch each takes longer than to run it: on an H200 the default net's
step takes 14 ms kernel by kernel. (Nguyen et al. 2021, "Accelerating PyTorch with CUDA Graphs".)
"""

from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

from zoo.options.options import TrainConfig

Group = Sequence[tuple[Tensor, Tensor]]  # batches, each with its targets
WARM = 3  # steps that are made as usual: the optimizer gets its moments, cuDNN tries its kernels


class Recorder:
    """Runs work over groups of batches of one shape, by repeating what was recorded of it.

    Work is all on the device, and asks for nothing there. What cannot be recorded runs as usual: `refused` says why.
    """

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.graph: torch.cuda.CUDAGraph | None = None
        self.kind: Hashable = None  # of the work that is recorded
        self.made = 0
        self.inputs: Group = ()
        self.result = torch.empty(0)
        self.refused = ""

    def run(self, work: Callable[[Group], Tensor], kind: Hashable, group: Group) -> Tensor:
        """Run `work` on `group`, or repeat it; return what it returns. Work of another `kind` is recorded anew.

        What is returned is overwritten by the next call.
        """
        kind = (kind, *((t.shape, t.stride()) for batch in group for t in batch))
        if kind != self.kind:
            self.kind, self.graph, self.made = kind, None, 0
        if self.graph is None and not self.refused:
            self.made += 1
            if self.made <= WARM:
                return self._aside(work, group)
            self._record(work, group)
        if self.graph is None:
            return work(group)
        for here, given in zip(self.inputs, group, strict=True):
            here[0].copy_(given[0], non_blocking=True)
            here[1].copy_(given[1], non_blocking=True)
        self.graph.replay()
        return self.result

    def _aside(self, work: Callable[[Group], Tensor], group: Group) -> Tensor:
        """Run `work` on the stream that it is recorded on, so that nothing of it belongs to another one."""
        now = torch.cuda.current_stream()
        self.stream.wait_stream(now)
        with torch.cuda.stream(self.stream):
            result = work(group)
        now.wait_stream(self.stream)
        result.record_stream(now)
        return result

    def _record(self, work: Callable[[Group], Tensor], group: Group) -> None:
        """Record what `work` does; nothing of it is done. Other threads may go on with what they do on the device."""
        self.inputs = tuple((x.clone(), soft.clone()) for x, soft in group)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                self.result = work(self.inputs)
        except RuntimeError as error:  # it asks for a number on the way, or memory does not hold it twice
            self.refused, self.inputs = str(error).splitlines()[0], ()
        else:
            self.graph = graph


def recorder(config: TrainConfig) -> Recorder | None:
    """Return what records the steps of a run, where they can be: on one GPU, and without fp16's scaler, which asks."""
    possible = config.device == "cuda" and config.devices == 1 and config.precision != "16-mixed"
    return Recorder() if possible else None
