from datetime import timedelta

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from zoo.augment.policies import POLICIES
from zoo.data.batches import Loader
from zoo.data.rows import Images
from zoo.evaluation.inference import score
from zoo.options.options import TrainConfig
from zoo.training.validation import as_table, as_tags, by_class, held, score_of, settle

VAL = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 16, 16, 1).contiguous()


@pytest.fixture
def loader():
    pixels = torch.zeros(8, 16, 16, 1, dtype=torch.uint8)
    train = Images(np.arange(8), pixels, torch.zeros(8, dtype=torch.int64), torch.ones(8, 2) / 2)
    with Loader(train, POLICIES["none"], (0.5,), (0.25,), 4, "cpu") as made:
        yield made


def test_one_device_scores_val_as_it_lies_in_the_pack(loader):
    assert held(VAL, TrainConfig(), 0, loader) is VAL


def test_shares_of_several_devices_are_equally_long_and_hold_every_image(loader):
    shares = [held(VAL, TrainConfig(devices=2), rank, loader)[:, 0, 0, 0].tolist() for rank in range(2)]
    assert shares == [[0, 2, 4], [1, 3, 0]]  # by turns, as they are put together again: the first once more


def test_each_class_has_its_precision_and_recall_and_none_where_there_is_nothing_to_share_out():
    confusion = np.array([[8, 2, 0], [1, 4, 0], [0, 0, 0]])  # true by predicted: no image of the third, none called so
    row = by_class(confusion, ("anger", "fear", "sadness"))
    assert list(row) == [f"val_{f}_{c}" for f in ("precision", "recall") for c in ("anger", "fear", "sadness")]
    known = {name: value for name, value in row.items() if not np.isnan(value)}
    assert known == pytest.approx(
        {"val_precision_anger": 8 / 9, "val_precision_fear": 4 / 6, "val_recall_anger": 0.8, "val_recall_fear": 0.8}
    )


def test_an_epoch_of_an_earlier_ferdata_has_empty_cells_and_so_has_what_is_no_number():
    rows = [{"epoch": 1, "lr": 0.1}, {"epoch": 2, "lr": 0.1, "val_recall_fear": float("nan")}]
    assert as_table(rows) == "epoch,lr,val_recall_fear\n1,0.1,\n2,0.1,\n"


def test_tensorboard_is_given_numbers_alone_and_those_of_the_classes_together():
    row = {"epoch": 2, "lr": 0.1, "val_recall_fear": 0.5, "val_recall_anger": float("nan")}
    assert as_tags(row, ("anger", "fear")) == {"lr": 0.1, "val_recall/fear": 0.5}


class Narrow(nn.Module):
    """A net with batch statistics, in a process whose memory holds `most` images."""

    def __init__(self, most):
        super().__init__()
        self.most, self.norm, self.last = most, nn.BatchNorm2d(1), nn.Linear(256, 3)

    def forward(self, x):
        if len(x) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.last(self.norm(x).flatten(1))


def one_of_two(rank, store, answers):
    meet = f"file://{store}"
    dist.init_process_group("gloo", init_method=meet, rank=rank, world_size=2, timeout=timedelta(seconds=30))
    torch.manual_seed(0)
    net = nn.parallel.DistributedDataParallel(Narrow((1 << 30, 3)[rank]))
    net.module.norm.running_mean.fill_(rank / 4)  # as after steps on other images each
    net.module.most, most = 1 << 30, net.module.most
    net(torch.zeros(4, 1, 16, 16)).sum().backward()
    net.module.most = most
    pixels = torch.arange(6 * 256, dtype=torch.int64).remainder(251).byte().view(6, 16, 16, 1)
    settle(net, pixels.shape, torch.device("cpu"))
    p = torch.from_numpy(score(net, pixels, (0.5,), (0.25,)))
    both = [torch.empty_like(p) for _ in range(2)]
    dist.all_gather(both, p)
    answers.put(float((both[0] - both[1]).abs().max()))
    dist.destroy_process_group()


@pytest.mark.slow
def test_a_process_that_halves_its_batches_keeps_step_with_the_others(tmp_path):
    context = torch.multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    processes = [context.Process(target=one_of_two, args=(rank, tmp_path / "store", answers)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    assert [answers.get() for _ in processes] == pytest.approx([0, 0], abs=1e-5)


@pytest.mark.parametrize(
    ("select", "better", "worse"),
    [
        ("loss", {"val_loss": 0.9, "val_accuracy": 0.5}, {"val_loss": 1.0, "val_accuracy": 0.6}),
        ("loss", {"val_loss": 0.9, "val_accuracy": 0.6}, {"val_loss": 0.9, "val_accuracy": 0.5}),
        ("accuracy", {"val_loss": 1.0, "val_accuracy": 0.6}, {"val_loss": 0.9, "val_accuracy": 0.5}),
        ("accuracy", {"val_loss": 0.9, "val_accuracy": 0.6}, {"val_loss": 1.0, "val_accuracy": 0.6}),
        ("macro_f1", {"val_loss": 1.0, "val_macro_f1": 0.6}, {"val_loss": 0.9, "val_macro_f1": 0.5}),
        ("last", {"epoch": 2}, {"epoch": 1}),
    ],
)
def test_epochs_are_compared_by_what_was_asked_for_and_then_by_the_other(select, better, worse):
    config = TrainConfig(select=select)
    assert score_of(config, better) > score_of(config, worse)
