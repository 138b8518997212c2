import pytest
import torch

from ferdata.errors import BadOption
from zoo.augment.apply import POLICIES, apply, as_float, normalise, policy
from zoo.augment.parameters import Draws, draw
from zoo.augment.policies import Policy, in_words

GREY = torch.tensor([0.0]), torch.tensor([1.0])


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (64, 1, 6, 6), generator=generator).float()
    return torch.nn.functional.interpolate(pixels, 32, mode="bilinear").byte().permute(0, 2, 3, 1).contiguous()


def augmented(batch, chosen, seed=0, mean_and_std=GREY):
    return apply(batch, draw(chosen, len(batch), 32, torch.Generator().manual_seed(seed)), *mean_and_std)


def test_none_only_turns_pixels_into_normalised_floats(batch):
    mean, std = torch.tensor([0.4]), torch.tensor([0.2])
    out = augmented(batch, POLICIES["none"], mean_and_std=(mean, std))
    assert torch.allclose(out, normalise(as_float(batch), mean, std), atol=1e-5)
    assert torch.equal(out, apply(batch, Draws.nothing(64), mean, std))


@pytest.mark.parametrize("name", [n for n in POLICIES if n not in ("none", "own")])
def test_every_policy_changes_pictures_but_not_their_shape_or_range(batch, name):
    out = augmented(batch, policy(name))
    assert out.shape == (64, 1, 32, 32)
    assert not torch.equal(out, as_float(batch))
    assert 0 <= out.min() < out.max() <= 1


def test_the_same_seed_gives_the_same_pictures(batch):
    first, second = (augmented(batch, policy("strong"), 3) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, augmented(batch, policy("strong"), 4))


def test_flip_alone_mirrors_about_half_and_nothing_else(batch):
    plain = as_float(batch)
    out = augmented(batch, Policy(flip=0.5))
    mirrored = torch.tensor([torch.equal(o, b.flip(2)) for o, b in zip(out, plain, strict=True)])
    same = torch.tensor([torch.equal(o, b) for o, b in zip(out, plain, strict=True)])
    assert (mirrored ^ same).all()
    assert 16 < int(mirrored.sum()) < 48


def test_a_map_without_any_range_is_the_picture_or_its_mirror_image(batch):
    plain = as_float(batch)
    assert torch.allclose(augmented(batch, Policy(shift=1e-9)), plain, atol=1e-5)
    assert torch.allclose(augmented(batch, Policy(shift=1e-9, flip=1.0)), plain.flip(3), atol=1e-5)


def test_a_crop_of_the_whole_is_the_picture_and_one_of_half_is_a_quarter_grown(batch):
    assert torch.allclose(augmented(batch, Policy(crop=(0.9999, 1.0))), as_float(batch), atol=1e-5)
    spot = torch.zeros(1, 32, 32, 1, dtype=torch.uint8)
    spot[:, 12:20, 12:20] = 255
    out = augmented(spot.expand(50, -1, -1, -1).contiguous(), Policy(crop=(0.25, 0.25)))
    whole = out.sum((1, 2, 3)) > 230  # 8 x 8 pixels become 16 x 16, where the crop holds them all
    assert int(whole.sum()) > 5
    assert float(out.sum((1, 2, 3)).max()) == pytest.approx(256, rel=0.02)


def test_erasing_blanks_a_part_of_some_pictures_to_the_mean(batch):
    out = augmented(batch, POLICIES["strong"], mean_and_std=(torch.tensor([-10.0]), torch.tensor([0.25])))
    blank = (out == 0).float().mean((1, 2, 3))
    assert 14 < int((blank > 0).sum()) < 40  # 40 % of 64
    assert 0.01 < float(blank[blank > 0].min()) <= float(blank.max()) < 0.19


def test_an_unknown_policy_names_the_close_and_the_known_ones():
    with pytest.raises(BadOption, match="Did you mean standard"):
        policy("standart")
    with pytest.raises(BadOption, match="none, own, flip, light, standard, strong"):
        policy("zzz")


def test_no_policy_turns_a_face_upside_down_and_each_says_what_it_is_for():
    from zoo.augment.policies import ABOUT

    for name, chosen in POLICIES.items():
        assert chosen.rotation < 60, name
        assert min(chosen.scale[0], chosen.crop[0], chosen.crop_aspect[0]) > 0, name
        assert all(len(span) == 2 and span[0] <= span[1] for span in vars(chosen).values() if isinstance(span, tuple))
        assert ABOUT[name][0]
        assert bool(in_words(chosen)) == (name not in ("none", "own"))


def test_a_policy_in_words_names_what_it_does_and_how_often():
    words = dict(in_words(POLICIES["lethesec"]))
    assert words["shift"] == "±20% of the side, each axis separately, 50% of the time"
    assert words["brightness"] == "×0.5 to ×1.5, 50% of the time"
    assert "scale" not in words
