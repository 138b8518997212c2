import pytest
import torch

from ferdata.errors import BadOption
from zoo.data.sampler import SAMPLERS, expected, order

HARD = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
SETS = torch.tensor([0] * 800 + [1] * 200)


def shown(how: str, hard: torch.Tensor = HARD, seed: int = 0) -> torch.Tensor:
    return order(how, hard, SETS[: len(hard)], torch.Generator().manual_seed(seed))


def counts(chosen: torch.Tensor, kind: torch.Tensor) -> list[int]:
    return torch.bincount(kind[chosen], minlength=int(kind.max()) + 1).tolist()


def test_a_shuffle_shows_each_image_once():
    assert sorted(shown("shuffle").tolist()) == list(range(1000))


def test_balanced_shows_every_class_equally_often():
    assert counts(shown("balanced"), HARD) == pytest.approx([333, 333, 333], abs=2)


def test_square_root_lies_half_way():
    roots = [900**0.5, 90**0.5, 10**0.5]
    expected = [1000 * r / sum(roots) for r in roots]
    assert counts(shown("sqrt"), HARD) == pytest.approx(expected, abs=2)


def test_by_dataset_shows_the_small_set_as_often_as_the_large():
    assert counts(shown("dataset"), SETS) == pytest.approx([500, 500], abs=1)


def test_the_images_of_a_class_are_repeated_evenly():
    often = torch.bincount(shown("balanced"), minlength=1000)
    rare = often[990:]
    assert int(rare.max() - rare.min()) <= 1


def test_an_image_without_a_class_is_shown_as_often_as_the_average():
    hard = HARD.clone()
    hard[:100] = -1
    often = torch.bincount(shown("balanced", hard), minlength=1000)
    assert int(often[:100].sum()) == pytest.approx(100, abs=2)


@pytest.mark.parametrize("how", SAMPLERS)
def test_an_epoch_repeats_with_its_seed_and_changes_with_the_next(how):
    first, again, other = shown(how), shown(how), shown(how, seed=1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.dtype == torch.int64
    assert len(first) == 1000


@pytest.mark.parametrize("how", SAMPLERS)
def test_one_image_makes_an_epoch(how):
    assert shown(how, torch.tensor([3])).tolist() == [0]


def test_a_class_that_never_occurs_disturbs_nothing():
    assert counts(shown("balanced", torch.tensor([0] * 50 + [5] * 50)), torch.tensor([0] * 50 + [5] * 50))[5] == 50


def test_a_sampler_of_no_known_kind_is_refused():
    with pytest.raises(BadOption, match="balanced"):
        shown("random")


@pytest.mark.parametrize("how", SAMPLERS)
def test_the_expected_number_of_showings_is_the_mean_over_epochs(how):
    times = expected(how, HARD, SETS)
    epochs = [torch.bincount(shown(how, seed=seed), minlength=1000) for seed in range(20)]
    assert float(times.sum()) == pytest.approx(1000)
    assert all(((n - times).abs() < 1 + 1e-9).all() for n in epochs)
    for kind in (HARD == 0, HARD == 1, HARD == 2):
        assert float(torch.stack(epochs)[:, kind].sum(1).double().mean()) == pytest.approx(
            float(times[kind].sum()), rel=0.03
        )


def test_an_image_without_a_class_is_expected_as_often_as_the_average_one():
    hard = torch.tensor([0, 0, 0, 1, -1])
    assert expected("balanced", hard, torch.zeros(5, dtype=torch.int64)).tolist() == pytest.approx([2 / 3] * 3 + [2, 1])
