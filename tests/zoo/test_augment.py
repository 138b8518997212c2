import pytest
import torch

from ferdata.errors import BadOption
from zoo.augment import POLICIES, Policy, as_float, augment, erase, normalise, policy


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (64, 6, 6, 1), generator=generator, dtype=torch.uint8)
    return torch.nn.functional.interpolate(as_float(pixels), 32, mode="bilinear")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_none_changes_nothing(batch):
    assert torch.equal(augment(batch, POLICIES["none"], generator()), batch)


@pytest.mark.parametrize("name", [n for n in POLICIES if n != "none"])
def test_every_policy_changes_pictures_but_not_their_shape_or_range(batch, name):
    out = augment(batch, policy(name), generator())
    assert out.shape == batch.shape
    assert not torch.equal(out, batch)
    assert torch.isfinite(out).all()
    assert out.min() > -0.5
    assert out.max() < 1.5


def test_the_same_seed_gives_the_same_pictures(batch):
    chosen = policy("strong")
    first, second = (augment(batch, chosen, generator(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(batch, chosen, generator(4)))


def test_flip_alone_mirrors_about_half_and_nothing_else(batch):
    out = augment(batch, Policy(flip=0.5), generator())
    mirrored = torch.tensor([torch.equal(o, b.flip(2)) for o, b in zip(out, batch, strict=True)])
    same = torch.tensor([torch.equal(o, b) for o, b in zip(out, batch, strict=True)])
    assert (mirrored ^ same).all()
    assert 16 < int(mirrored.sum()) < 48


def test_the_affine_map_without_any_range_is_the_identity_or_the_mirror(batch):
    out = augment(batch, Policy(shift=1e-9), generator())
    assert torch.allclose(out, batch, atol=1e-4)
    mirrored = augment(batch, Policy(shift=1e-9, flip=1.0), generator())
    assert torch.allclose(mirrored, batch.flip(3), atol=1e-4)


def test_a_turn_stays_within_its_range():
    line = torch.zeros(200, 1, 65, 65)
    line[:, :, 32, 32:] = 1.0  # a hand that points right
    out = augment(line, Policy(rotation=15), generator())
    y, x = torch.meshgrid(torch.arange(65.0) - 32, torch.arange(65.0) - 32, indexing="ij")
    right = out[:, 0] * (x > 4)
    angle = torch.rad2deg(torch.atan2((right * y).sum((1, 2)), (right * x).sum((1, 2))))
    assert 10 < angle.abs().max() <= 16


def test_erasing_blanks_a_part_of_some_pictures_to_the_mean(batch):
    out = erase(normalise(batch, torch.tensor([0.5]), torch.tensor([0.25])) + 10, Policy(erase=0.5), generator())
    blank = (out == 0).float().mean((1, 2, 3))
    assert 16 < int((blank > 0).sum()) < 48
    assert 0.01 < float(blank[blank > 0].min()) <= float(blank.max()) < 0.2


def test_an_unknown_policy_names_the_known_ones():
    with pytest.raises(BadOption, match="none, light, standard, strong"):
        policy("heavy")
