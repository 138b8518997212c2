"""Both engines draw from the same distribution: measured on what they do to pictures, not on what they say."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from zoo.augment import apply
from zoo.augment.albumentations_engine import Pipeline
from zoo.augment.parameters import draw
from zoo.augment.policies import POLICIES, Policy

SIDE = 64
MANY = 2500
SUSPECT = 1e-4  # a figure this unlikely, under equal distributions, is taken for a difference
EVERYTHING = Policy(
    scale=(0.85, 1.2), rotation=15, shear=6, rotation_chance=0.7, shift=0.06, shift_chance=0.8,
    crop=(0.7, 1.0), crop_aspect=(0.8, 1.25), flip=0.4,
)  # fmt: skip


def on_processor(policy, pixels, seed):
    draws = draw(policy, len(pixels), pixels.shape[1], torch.Generator().manual_seed(seed))
    out = apply.apply(torch.from_numpy(pixels), draws, torch.zeros(pixels.shape[3]), torch.ones(pixels.shape[3]))
    return out.permute(0, 2, 3, 1).numpy() * 255


def on_torch(policy, pixels, seed):
    draws = draw(policy, len(pixels), pixels.shape[1], torch.Generator().manual_seed(seed))
    channels = pixels.shape[3]
    out = apply.on_device(torch.from_numpy(pixels), draws, torch.zeros(channels), torch.ones(channels))
    return out.permute(0, 2, 3, 1).numpy() * 255


def by_albumentations(policy, pixels, seed):
    pipeline = Pipeline(policy, pixels.shape[1], np.zeros(pixels.shape[3]))
    return pipeline(pixels, np.arange(len(pixels)), seed).astype(np.float32)


def marks(n):
    """A soft dot in each of three channels: where they go tells the whole affine map."""
    y, x = np.mgrid[:SIDE, :SIDE]
    dots = [np.exp(-((x - u) ** 2 + (y - v) ** 2) / 12) for u, v in POINTS]
    return np.repeat((np.stack(dots, 2) * 255).astype(np.uint8)[None], n, 0)


POINTS = np.array([(29.0, 30.0), (37.0, 30.0), (32.0, 38.0)])


def measured(pictures):
    """The six numbers of each picture's map, and whether it was mirrored; float64 (n, 7)."""
    y, x = np.mgrid[:SIDE, :SIDE]
    mass = pictures.sum((1, 2))
    there = (
        np.stack([(pictures * x[..., None]).sum((1, 2)), (pictures * y[..., None]).sum((1, 2))], 2) / mass[..., None]
    )
    middle = (SIDE - 1) / 2
    source = np.column_stack([POINTS - middle, np.ones(3)])
    maps = np.linalg.solve(source[None], there - middle)  # (n, 3, 2): rows are x, y, 1
    linear = maps[:, :2].transpose(0, 2, 1)
    across = np.hypot(linear[:, 0, 0], linear[:, 1, 0])
    angle = np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0] * np.sign(np.linalg.det(linear))))
    down = np.abs(np.linalg.det(linear)) / across
    slope = (linear[:, :, 0] * linear[:, :, 1]).sum(1) / across**2
    return np.column_stack([across, down, angle, slope, maps[:, 2], np.linalg.det(linear) < 0])


# What is measured, and how wrong the measure may be: interpolation moves a dot's middle by hundredths of a pixel.
NAMES = {"width": 0.03, "height": 0.03, "angle": 0.5, "slope": 0.01, "x": 0.3, "y": 0.3, "mirrored": 0.0}
ENGINES = {"OpenCV": on_processor, "torch": on_torch}


def alike(first, second, error):
    """How likely two samples are to be of one distribution, each blurred by the measure's error."""
    rng = np.random.default_rng(0)
    first, second = (v + rng.uniform(-error, error, len(v)) for v in (first, second))
    return ks_2samp(first, second, method="asymp").pvalue


def differences(first, second):
    """The figures whose distributions differ, with how unlikely that is by chance."""
    found = {n: alike(a, b, error) for (n, error), a, b in zip(NAMES.items(), first.T, second.T, strict=True)}
    return {name: likely for name, likely in found.items() if likely < SUSPECT}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("policy", [EVERYTHING, POLICIES["strong"], POLICIES["khaireddin"], POLICIES["emonext"]])
def test_faces_are_moved_alike(engine, policy):
    policy = replace(policy, erase=0.0, brightness=(1.0, 1.0), contrast=(1.0, 1.0))
    ours = measured(ENGINES[engine](policy, marks(MANY), 1))
    theirs = measured(by_albumentations(policy, marks(MANY), 2))
    assert differences(ours, theirs) == {}


@pytest.fixture(scope="module")
def ours():
    return measured(on_processor(EVERYTHING, marks(MANY), 1))


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"scale": (0.85, 1.3)}, {"width", "height"}),
        ({"rotation": 19}, {"angle"}),
        ({"shift": 0.11}, {"x", "y"}),
        ({"shear": 12}, {"slope"}),
        ({"flip": 0.55}, {"mirrored"}),
        ({"crop": (0.5, 1.0)}, {"width", "height"}),
        ({"rotation_chance": 0.9}, {"angle"}),
    ],
)
def test_the_measure_sees_a_range_that_one_engine_has_otherwise(ours, change, seen):
    theirs = measured(by_albumentations(replace(EVERYTHING, **change), marks(MANY), 2))
    assert set(differences(ours, theirs)) & seen


@pytest.mark.parametrize("engine", [on_processor, on_torch, by_albumentations])
def test_what_is_drawn_for_one_thing_says_nothing_of_another(engine):
    # Were each step seeded alike, who is turned left would be mirrored, and who is large would be dark.
    policy = Policy(scale=(0.8, 1.2), rotation=15, shift=0.06, flip=0.5)
    found = np.corrcoef(measured(engine(policy, marks(MANY), 3)).T[[0, 1, 2, 4, 5, 6]])
    assert np.abs(found - np.eye(6)).max() < 0.12


def test_ranges_are_reached_and_kept():
    found = measured(on_processor(Policy(scale=(0.8, 1.25), rotation=15, shift=0.05), marks(2000), 4))
    width, height, angle, _, x, y, _ = found.T
    for sides in (width, height):
        assert 0.79 < sides.min() < 0.82
        assert 1.22 < sides.max() < 1.27
    assert 14 < np.abs(angle).max() < 15.5
    assert 0.045 * SIDE < np.abs(np.stack([x, y])).max() < 0.055 * SIDE


def tones(pictures):
    """The slope and the offset that took a grey ramp to each picture."""
    ramp = RAMP[0, :, :, 0].astype(np.float64).ravel()
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    slope = ((flat - flat.mean(1, keepdims=True)) * (ramp - ramp.mean())).sum(1) / ((ramp - ramp.mean()) ** 2).sum()
    return slope, flat.mean(1) / ramp.mean()


# Dark and flat, so that nothing reaches white or black.
RAMP = np.broadcast_to(np.linspace(70, 110, SIDE).astype(np.uint8)[None, :, None], (SIDE, SIDE, 1))[None]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["standard", "lethesec", "chorko"])
def test_brightness_and_contrast_are_alike(engine, name):
    policy = Policy(
        brightness=POLICIES[name].brightness, contrast=POLICIES[name].contrast, tone_chance=POLICIES[name].tone_chance
    )
    pixels = np.repeat(RAMP, MANY, 0)
    ours, theirs = tones(ENGINES[engine](policy, pixels, 1)), tones(by_albumentations(policy, pixels, 2))
    # A picture of whole levels is off by half of one: its slope and its mean by that share.
    for mine, alien, error in zip(ours, theirs, (0.03, 0.01), strict=True):
        assert alike(mine, alien, error) > SUSPECT
    for wider in ("brightness", "contrast"):
        low, high = getattr(policy, wider)
        if (low, high) != (1, 1):
            slope, level = tones(by_albumentations(replace(policy, **{wider: (low, high * 1.25)}), pixels, 2))
            other = {"brightness": (ours[1], level), "contrast": (ours[0], slope)}[wider]
            assert alike(*other, 0.03) < SUSPECT


def holes(pictures):
    """Area and width over height of what is black in white pictures."""
    dark = pictures[..., 0] < 128
    across, down = dark.any(1).sum(1), dark.any(2).sum(1)
    hit = across > 0
    return hit, (across * down)[hit] / SIDE**2, across[hit] / down[hit]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["strong", "khaireddin"])
def test_parts_are_erased_alike(engine, name):
    policy = Policy(**{k: getattr(POLICIES[name], k) for k in ("erase", "erase_area", "erase_aspect")})
    white = np.full((2000, SIDE, SIDE, 1), 255, np.uint8)
    ours, theirs = holes(ENGINES[engine](policy, white, 1)), holes(by_albumentations(policy, white, 2))
    assert abs(ours[0].mean() - policy.erase) < 0.05
    assert abs(theirs[0].mean() - policy.erase) < 0.05
    for mine, alien in zip(ours[1:], theirs[1:], strict=True):
        assert alike(mine, alien, 0.0) > SUSPECT
    low, high = policy.erase_area
    other = holes(by_albumentations(replace(policy, erase_area=(low, high * 0.75)), white, 2))
    assert alike(ours[1], other[1], 0.0) < SUSPECT
    assert ours[1].max() <= high * 1.1
    assert math.isclose(np.median(ours[2]), np.median(theirs[2]), rel_tol=0.1)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_opencv_and_torch_make_the_same_picture_of_the_same_numbers(name, channels):
    noise = torch.rand((24, channels, 8, 8), generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(noise, 48, mode="bilinear")
    pixels = (smooth * 255).byte().permute(0, 2, 3, 1).contiguous()
    mean, std = torch.full((channels,), 0.4), torch.full((channels,), 0.2)
    draws = draw(POLICIES[name], 24, 48, torch.Generator().manual_seed(2))
    ours, theirs = apply.apply(pixels, draws, mean, std), apply.on_device(pixels, draws, mean, std)
    assert ours.shape == theirs.shape == (24, channels, 48, 48)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    levels = (ours - theirs).abs() * 0.2 * 255
    # OpenCV works to a 32nd of a pixel and to whole levels.
    assert float(levels.mean()) < 0.8
    assert float(levels.max()) < 8


@pytest.mark.parametrize("name", POLICIES)
def test_albumentations_runs_every_policy_and_the_same_seed_gives_the_same_pictures(name):
    pixels = np.random.default_rng(1).integers(0, 256, (12, 48, 48, 1), np.uint8)
    first, second = (Pipeline(POLICIES[name], 48, np.array([0.5]))(pixels, np.arange(12), 7) for _ in range(2))
    assert np.array_equal(first, second)
    other = Pipeline(POLICIES[name], 48, np.array([0.5]))(pixels, np.arange(12), 8)
    assert np.array_equal(first, other) == (POLICIES[name] == Policy())
