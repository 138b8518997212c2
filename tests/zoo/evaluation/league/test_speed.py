"""Speed is what a batch takes, warm, in the median; a machine that others keep busy is said to be."""

import time

import pytest
import torch
from torch import nn

from zoo.evaluation.league import speed
from zoo.evaluation.league.speed import Racer, in_words, race, time_of


class Net(nn.Module):
    """Works, or only waits, so many milliseconds a batch."""

    def __init__(self, milliseconds, works=True):
        super().__init__()
        self.place, self.asked = nn.Parameter(torch.zeros(1)), []
        self._seconds, self._works = milliseconds / 1000, works

    def forward(self, x):
        self.asked.append(len(x))
        end = time.process_time() + self._seconds
        while self._works and time.process_time() < end:
            pass
        if not self._works:
            time.sleep(self._seconds)
        return torch.zeros(len(x), 3)


def racer(net, tta="none", n=40):
    return Racer(net, torch.zeros(n, 8, 8, 1, dtype=torch.uint8), (0.5,), (0.5,), tta)


def test_the_slower_net_is_slower_by_as_much_as_it_works_longer():
    found, how = race([racer(Net(4)), racer(Net(16))])
    quick, slow = (one["processor_milliseconds"] * speed.BATCH for one in found)
    assert quick == pytest.approx(4, abs=2)
    assert slow == pytest.approx(16, abs=3)
    for one in found:
        assert one["images_per_second"] == pytest.approx(1000 / one["milliseconds"])
        assert one["fastest"] <= one["milliseconds"] <= one["slowest"]
    assert (how["device"], how["batch"], how["batches"]) == ("cpu", 32, speed.ROUNDS)
    assert how["processor"]


def test_all_views_are_counted_and_few_images_are_repeated():
    net = Net(0)
    race([racer(net, "flip", n=5)])
    assert net.asked == [speed.BATCH] * 2 * (speed.WARM_UP + speed.ROUNDS)


def test_patience_ends_after_the_least_number_of_batches(monkeypatch):
    monkeypatch.setattr(speed, "PATIENCE", 0.0)
    net = Net(0)
    _, how = race([racer(net)])
    assert how["batches"] == speed.LEAST
    assert len(net.asked) == speed.WARM_UP + speed.LEAST


def test_a_process_that_had_little_of_the_processor_says_so_and_compares_its_own_time():
    found, how = race([racer(Net(20, works=False))])
    assert how["busy"]
    assert how["core"] < 0.5
    assert time_of(found[0], how) == found[0]["processor_milliseconds"] < found[0]["milliseconds"]
    assert "Other programs left this one" in in_words(how)
    alone = {**how, "busy": False}
    assert time_of(found[0], alone) == found[0]["milliseconds"]
    assert "Other programs" not in in_words(alone)
    assert f"{how['processor']}, 1 thread; 32 images at a time" in in_words({**alone, "threads": 1})
