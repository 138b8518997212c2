"""Images a second of processor time that a net learns from, in bfloat16 and in float32, on one thread.

    python benchmarks/precision.py [NET[:SIZE]...]

What `--precision auto` rests on (`zoo.training.resolve`). The fastest of three steps, by processor time, so that other
work on the machine takes little part in the ratio.
"""

import sys
import time

import torch
from torch import nn

from zoo.models.build import backbone, build

NETS = (
    *("resnet_fer:48", "resnet18:48", "densenet121:48", "convnext_atto:64", "regnety_004:48", "mobilefacenet:112"),
    *("mobilenetv3_large_100:48", "efficientnet_b0:48", "tf_efficientnet_lite0:48"),
)
BATCH = 64


def main() -> None:
    """Print a row a net."""
    torch.set_num_threads(1)
    print("| net | px | bf16-mixed | 32-true | bf16 / 32 | grouped convolutions |\n|---|---|---|---|---|---|")
    for word in sys.argv[1:] or NETS:
        name, _, side = word.partition(":")
        size = int(side or 48)
        net = build(backbone(name), 3, 8, size).train().to(memory_format=torch.channels_last)
        half, whole = (speed(net, size, precision) for precision in (torch.bfloat16, None))
        layers = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
        grouped = sum(layer.groups > 1 for layer in layers)
        print(f"| {name} | {size} | {half:.0f} | {whole:.0f} | {half / whole:.2f} | {grouped} of {len(layers)} |")


def speed(net: nn.Module, size: int, precision: torch.dtype | None) -> float:
    """Return the images a second of processor time, in autocast's `precision`; None is float32."""
    images = torch.randn(BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)
    classes = torch.randint(8, (BATCH,))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def step() -> float:
        begun = time.process_time()
        with torch.autocast("cpu", precision, enabled=precision is not None):
            out = net(images)
            loss = nn.functional.cross_entropy(out[0] if isinstance(out, tuple) else out, classes)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.process_time() - begun

    step()
    return BATCH / min(step() for _ in range(3))


if __name__ == "__main__":
    main()
