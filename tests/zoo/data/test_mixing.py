import pytest
import torch

from zoo.data.mixing import mix

N, CLASSES = 64, 4


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of one grey value each, so that a pixel says whose it is, and a class per picture's quarter."""
    x = torch.arange(N).float().view(-1, 1, 1, 1).expand(-1, 1, 8, 8).clone()
    return x, torch.eye(CLASSES)[torch.arange(N) % CLASSES]


def mixed(mixup: float, cutmix: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return mix(*batch(), mixup, cutmix, torch.Generator().manual_seed(seed))


def test_without_either_a_batch_passes_untouched():
    x, soft = batch()
    got = mix(x, soft, 0, 0, torch.Generator())
    assert got[0] is x
    assert got[1] is soft


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0), (0, 1.0), (0.4, 1.0)])
def test_targets_still_sum_to_one_and_are_shared_out(mixup, cutmix):
    _, soft = mixed(mixup, cutmix)
    assert torch.allclose(soft.sum(1), torch.ones(N))
    assert int((soft.max(1).values < 0.999).sum()) > N // 2


def test_mixup_blends_the_whole_picture_in_the_share_of_the_target():
    """All partners are looked for: one of them must explain both the grey value and the target."""
    x, soft = mixed(1.0, 0)
    _, classes = batch()
    assert torch.allclose(x.flatten(1).std(1), torch.zeros(N), atol=1e-4)
    for i in range(N):
        value = float(x[i, 0, 0, 0])
        shares = [(value - j) / (i - j) if i != j else 1.0 for j in range(N)]
        fits = [
            torch.allclose(s * classes[i] + (1 - s) * classes[j], soft[i], atol=1e-3)
            for j, s in enumerate(shares)
            if -1e-6 <= s <= 1 + 1e-6
        ]
        assert any(fits)


def test_cutmix_pastes_pixels_and_counts_those_that_it_covered():
    x, soft = mixed(0, 1.0)
    for i in range(N):
        values, counts = x[i].unique(return_counts=True)
        assert len(values) <= 2
        own = int((x[i] == i).sum()) / 64
        others = [int(v) for v in values if int(v) != i]
        expected = own * torch.eye(CLASSES)[i % CLASSES]
        for j in others:
            expected = expected + (1 - own) * torch.eye(CLASSES)[j % CLASSES]
        assert torch.allclose(soft[i], expected, atol=1e-5), counts


def test_with_both_on_some_pictures_are_blended_and_some_pasted():
    x, _ = mixed(1.0, 1.0)
    whole = torch.tensor([bool((picture % 1 == 0).all()) for picture in x])
    assert 8 < int(whole.sum()) < 56


def test_a_mix_repeats_with_its_seed():
    assert torch.equal(mixed(0.4, 1.0)[0], mixed(0.4, 1.0)[0])
    assert not torch.equal(mixed(0.4, 1.0)[0], mixed(0.4, 1.0, seed=1)[0])


def test_memory_format_and_type_are_kept():
    x, soft = batch()
    x = x.expand(-1, 3, 8, 8).to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
    got, _ = mix(x, soft, 0.4, 1.0, torch.Generator().manual_seed(0))
    assert got.dtype == torch.bfloat16
    assert got.is_contiguous(memory_format=torch.channels_last)


def test_a_single_picture_has_nobody_to_mix_with():
    x, soft = batch()
    assert mix(x[:1], soft[:1], 1.0, 1.0, torch.Generator())[0] is not None
    assert torch.equal(mix(x[:1], soft[:1], 1.0, 1.0, torch.Generator())[0], x[:1])
