"""Nets that tell faces apart, against their publishers' definitions written down as arithmetic, under their names."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.models.build import backbone, begin


class Drawn(dict[str, Tensor]):
    """Random weights by a publisher's names, drawn as its net first asks for them."""

    def _draw(self, name: str, *shape: int, around: float = 0.0, spread: float = 0.1) -> Tensor:
        return self.setdefault(name, around + spread * torch.randn(*shape))

    def conv(
        self, x: Tensor, name: str, out: int, kernel: int, stride: int = 1, pad: int = 0, groups: int = 1
    ) -> Tensor:
        width = x.shape[1] // groups
        w = self._draw(f"{name}.weight", out, width, kernel, kernel, spread=(2 / (width * kernel**2)) ** 0.5)
        return F.conv2d(x, w, None, stride, pad, groups=groups)

    def norm(self, x: Tensor, name: str) -> Tensor:
        n = x.shape[1]
        mean, var = self._draw(f"{name}.running_mean", n), self._draw(f"{name}.running_var", n, around=1.0).abs()
        self[f"{name}.running_var"] = var
        self[f"{name}.num_batches_tracked"] = torch.tensor(7)
        weight, bias = self._draw(f"{name}.weight", n, around=1.0), self._draw(f"{name}.bias", n)
        return F.batch_norm(x, mean, var, weight, bias)

    def prelu(self, x: Tensor, name: str) -> Tensor:
        return F.prelu(x, self._draw(f"{name}.weight", x.shape[1], around=0.25))

    def dense(self, x: Tensor, name: str, out: int, bias: bool) -> Tensor:
        w = self._draw(f"{name}.weight", out, x.shape[1], spread=x.shape[1] ** -0.5)
        return F.linear(x, w, self._draw(f"{name}.bias", out) if bias else None)


def iresnet(depths: tuple[int, ...]) -> Callable[[Drawn, Tensor], Tensor]:
    """InsightFace's arcface_torch/backbones/iresnet.py."""

    def face(w: Drawn, x: Tensor) -> Tensor:
        x = w.prelu(w.norm(w.conv(x, "conv1", 64, 3, 1, 1), "bn1"), "prelu")
        for stage, (depth, width) in enumerate(zip(depths, (64, 128, 256, 512), strict=True), 1):
            for block in range(depth):
                name, stride, beside = f"layer{stage}.{block}", 1 if block else 2, x
                y = w.conv(w.norm(x, f"{name}.bn1"), f"{name}.conv1", width, 3, 1, 1)
                y = w.conv(w.prelu(w.norm(y, f"{name}.bn2"), f"{name}.prelu"), f"{name}.conv2", width, 3, stride, 1)
                if not block:
                    beside = w.norm(w.conv(x, f"{name}.downsample.0", width, 1, 2), f"{name}.downsample.1")
                x = w.norm(y, f"{name}.bn3") + beside
        return w.norm(w.dense(w.norm(x, "bn2").flatten(1), "fc", 512, bias=True), "features")

    return face


def mbf(w: Drawn, x: Tensor) -> Tensor:
    """InsightFace's arcface_torch/backbones/mobilefacenet.py, scale 2."""

    def block(x: Tensor, name: str, out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Tensor:
        y = w.norm(w.conv(x, f"{name}.layers.0", out, kernel, stride, kernel // 2, groups), f"{name}.layers.1")
        return w.prelu(y, f"{name}.layers.2")

    def deep(x: Tensor, name: str, out: int, hidden: int, stride: int) -> Tensor:
        y = block(block(x, f"{name}.layers.0", hidden), f"{name}.layers.1", hidden, 3, stride, hidden)
        y = w.norm(w.conv(y, f"{name}.layers.2.layers.0", out, 1), f"{name}.layers.2.layers.1")
        return y if stride == 2 else x + y

    x = block(block(x, "layers.0", 128, 3, 2), "layers.1", 128, 3, 1, 64)
    for at, (width, hidden, depth) in enumerate(((128, 128, 4), (256, 256, 6), (256, 512, 2))):
        x = deep(x, f"layers.{2 + 2 * at}", width, hidden, 2)
        for i in range(depth):
            x = deep(x, f"layers.{3 + 2 * at}.layers.{i}", width, min(hidden, 256), 1)
    x = block(x, "conv_sep", 512)
    x = w.norm(w.conv(x, "features.layers.0.layers.0", 512, 7, groups=512), "features.layers.0.layers.1")
    return w.norm(w.dense(x.flatten(1), "features.layers.2", 512, bias=False), "features.layers.3")


def mobilefacenet(w: Drawn, x: Tensor) -> Tensor:
    """InsightFace_Pytorch's model.py."""

    def block(x: Tensor, name: str, out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Tensor:
        y = w.norm(w.conv(x, f"{name}.conv", out, kernel, stride, kernel // 2, groups), f"{name}.bn")
        return w.prelu(y, f"{name}.prelu")

    def deep(x: Tensor, name: str, out: int, hidden: int, stride: int) -> Tensor:
        y = block(block(x, f"{name}.conv", hidden), f"{name}.conv_dw", hidden, 3, stride, hidden)
        y = w.norm(w.conv(y, f"{name}.project.conv", out, 1), f"{name}.project.bn")
        return y if stride == 2 else x + y

    x = block(block(x, "conv1", 64, 3, 2), "conv2_dw", 64, 3, 1, 64)
    stages = (("conv_23", "conv_3", 64, 128, 4), ("conv_34", "conv_4", 128, 256, 6), ("conv_45", "conv_5", 128, 512, 2))
    for down, name, width, hidden, depth in stages:
        x = deep(x, down, width, hidden, 2)
        for i in range(depth):
            x = deep(x, f"{name}.model.{i}", width, min(hidden, 256), 1)
    x = block(x, "conv_6_sep", 512)
    x = w.norm(w.conv(x, "conv_6_dw.conv", 512, 7, groups=512), "conv_6_dw.bn")
    return w.norm(w.dense(x.flatten(1), "linear", 512, bias=False), "bn")


def face_api(w: Drawn, x: Tensor) -> Tensor:
    """face-api's src/faceRecognitionNet: TensorFlow's layouts, pixels less the publisher's mean, divided by 255."""

    def layer(x: Tensor, name: str, out: int, kernel: int, stride: int, pad: int) -> Tensor:
        inside = x.shape[1]
        w.setdefault(
            f"{name}/conv/filters", torch.randn(kernel, kernel, inside, out) * (2 / (inside * kernel**2)) ** 0.5
        )
        for part, around in (("conv/bias", 0.0), ("scale/weights", 1.0), ("scale/biases", 0.0)):
            w.setdefault(f"{name}/{part}", around + 0.1 * torch.randn(out))
        y = F.conv2d(x, w[f"{name}/conv/filters"].permute(3, 2, 0, 1), w[f"{name}/conv/bias"], stride, pad)
        return y * w[f"{name}/scale/weights"][:, None, None] + w[f"{name}/scale/biases"][:, None, None]

    x = (x * 255 - torch.tensor((122.782, 117.001, 104.298))[:, None, None]) / 255
    x = F.max_pool2d(F.relu(layer(x, "conv32_down", 32, 7, 2, 0)), 3, 2)
    names = ["conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3", "conv128_down"]
    names += ["conv128_1", "conv128_2", "conv256_down", "conv256_1", "conv256_2", "conv256_down_out"]
    for name in names:
        down, width = "down" in name, int(name[4:].partition("_")[0])
        y = F.relu(layer(x, f"{name}/conv1", width, 3, 2 if down else 1, 0 if down else 1))
        y = layer(y, f"{name}/conv2", width, 3, 1, 1)
        if down:
            x = F.avg_pool2d(x, 2)
            if x.shape[2] != y.shape[2]:
                y = F.pad(y, (0, 1, 0, 1))
            if x.shape[1] != width:
                x = torch.cat((x, torch.zeros_like(x)), 1)
        x = F.relu(x + y)
    w.setdefault("fc", torch.randn(256, 128) / 16)
    return x.mean((2, 3)) @ w["fc"]


NETS: list[tuple[str, Callable[[Drawn, Tensor], Tensor], int, str]] = [
    ("iresnet18", iresnet((2, 2, 2, 2)), 112, "InsightFace"),
    ("mobilefacenet_x2", mbf, 112, "InsightFace"),
    ("mobilefacenet", mobilefacenet, 112, "InsightFace_Pytorch"),
    ("face_api", face_api, 150, "face-api"),
    pytest.param("iresnet50", iresnet((3, 4, 14, 3)), 112, "InsightFace", marks=pytest.mark.slow),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("name", "face", "size", "naming"), NETS)
def test_published_names_give_the_publishers_description_of_a_face(
    name: str, face: Callable[[Drawn, Tensor], Tensor], size: int, naming: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    weights, pixels = Drawn(), torch.rand(2, 3, size, size)
    with torch.inference_mode():
        # The others' publishers move pixels in 0..1 to -1..1.
        wanted = face(weights, pixels if name == "face_api" else (pixels - 0.5) / 0.5)
    torch.save({key: t.clone() for key, t in weights.items()}, tmp_path / "face.pth")
    begun = begin(backbone(name, weights=tmp_path / "face.pth"), 3, 7, size)
    assert begun.notes == (f"Took {len(weights)} of {len(weights)} tensors of face.pth by {naming}'s names.",)
    assert begun.statistics is not None
    mean, std = (torch.tensor(values)[:, None, None] for values in begun.statistics)
    with torch.inference_mode():
        x = begun.net.forward_features((pixels - mean) / std)  # type: ignore[operator]  # timm's contract
        found = begun.net.forward_head(x, pre_logits=True)  # type: ignore[operator]
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_their_own_size_is_the_publishers() -> None:
    assert [backbone(name).size for name, *_ in NETS[:4]] == [112, 112, 112, 150]
