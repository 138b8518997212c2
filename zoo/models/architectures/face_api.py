"""`face_api`: the residual net of dlib's kind that browsers tell faces apart with; its weights are npm's."""

from typing import Any

import torch
import torch.nn.functional as F
from timm.models import generate_default_cfgs
from torch import Tensor, nn

from zoo.models.architectures.contract import Net, Pooled, cfg, make, register

# The publisher takes 122.782, 117.001 and 104.298 off red, green and blue in 0..255 and divides by 255. That leaves a
# spread of about a quarter, where every other net here sees about one: so its first kernels are kept at a quarter
# (INPUT_SCALE, an exact power of two) and pixels divided by that, which gives the same first layer.
INPUT_SCALE = 0.25
default_cfgs = generate_default_cfgs(
    {
        "face_api": cfg(
            150,
            channels=3,
            classes=7,
            first_conv="features.0.0.conv",
            mean=(122.782 / 255, 117.001 / 255, 104.298 / 255),
            std=(INPUT_SCALE,) * 3,
        )
    }
)
STAGES = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))  # width, blocks; all but the first begin by halving the side
EMBEDDING = 128


class Scale(nn.Module):
    """Multiply and shift each channel: a batch normalisation whose statistics are folded in for good."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class ScaledConv(nn.Module):
    """A convolution with biases, then a scale."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, stride, padding)
        self.scale = Scale(outside)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inside, H, W) to (B, outside, h, w)."""
        return self.scale(self.conv(x))  # type: ignore[no-any-return]


class Residual(nn.Module):
    """Two 3x3 layers beside a shortcut, which is averaged and filled up with zeros where side or width change."""

    def __init__(self, inside: int, outside: int, halves: bool) -> None:
        super().__init__()
        self.halves, self.more = halves, outside - inside
        self.conv1 = ScaledConv(inside, outside, 3, 2 if halves else 1, 0 if halves else 1)
        self.conv2 = ScaledConv(outside, outside, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inside, H, W) to (B, outside, H, W), or to half the side, rounded down."""
        out = self.conv2(F.relu(self.conv1(x)))
        if self.halves:
            x = F.avg_pool2d(x, 2)
            # At an even side the convolution, which is not padded, falls a row and a column short of the average.
            out = F.pad(out, (0, x.shape[3] - out.shape[3], 0, x.shape[2] - out.shape[2]))
        return F.relu(out + F.pad(x, (0, 0, 0, 0, 0, self.more)))


class FaceApi(Net):
    """A face in 128 numbers: 5.6 M parameters, 150 px (github.com/vladmandic/face-api, src/faceRecognitionNet/).

    The net is dlib's (King 2017, dlib_face_recognition_resnet_model_v1), ResNet-34 with fewer layers and half its
    width. Nothing in it normalises by the batch: it is for weights that are there, not for training from scratch.
    """

    def __init__(self, num_classes: int = 7, in_chans: int = 3, drop_rate: float = 0.0) -> None:
        super().__init__()
        inside = STAGES[0][0]
        features = nn.Sequential(
            nn.Sequential(ScaledConv(in_chans, inside, 7, 2, 0), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2))
        )
        for stage, (width, depth) in enumerate(STAGES):
            for block in range(depth):
                features.append(Residual(inside, width, halves=stage > 0 and block == 0))
                inside = width
        neck = nn.Sequential(Pooled(), nn.Linear(inside, EMBEDDING, bias=False), nn.Dropout(drop_rate))
        self.assemble(features, neck, (inside, EMBEDDING), num_classes)


@register
def face_api(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build face-api's face recognition net."""
    return make(FaceApi, "face_api", pretrained, **given)
