import threading
import time

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption
from zoo.augment import apply
from zoo.augment.policies import POLICIES
from zoo.data.batches import AHEAD, Loader
from zoo.data.rows import Images

ENGINES = ("device", "workers")


def images(n=70, side=24, channels=1):
    pixels = torch.randint(0, 256, (n, side, side, channels), generator=torch.Generator().manual_seed(1))
    soft = torch.nn.functional.one_hot(torch.arange(n) % 4, 4).float()
    return Images(np.arange(n), pixels.byte(), torch.arange(n) % 4, soft)


def make(pictures=None, policy="none", engine="auto", batch=16, seed=0, **more):
    pictures = images() if pictures is None else pictures
    channels = pictures.pixels.shape[3]
    return Loader(pictures, POLICIES[policy], (0.4,) * channels, (0.2,) * channels, batch, "cpu", engine, seed, **more)


def order(n=70, seed=0):
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("ferdata-batches")]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_picture_comes_once_normalised_with_its_target_and_a_short_last_batch_not(engine, channels):
    pictures = images(channels=channels)
    with make(pictures, engine=engine) as batches:
        got = list(batches.epoch(order(), 1))
        assert len(got) == batches.steps(70) == 4
    where = torch.cat([b.where for b in got])
    assert torch.equal(where, order()[:64])
    mean, std = torch.full((channels,), 0.4), torch.full((channels,), 0.2)
    expected = apply.normalise(apply.as_float(pictures.pixels[where]), mean, std)
    assert torch.allclose(torch.cat([b.x for b in got]), expected, atol=1e-5)
    assert torch.equal(torch.cat([b.soft for b in got]), pictures.soft[where])


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_come_from_seed_epoch_and_batch_and_from_nothing_else(engine):
    def pictures(epoch, seed=0, start=0, rows=None):
        with make(policy="strong", engine=engine, seed=seed) as batches:
            for _ in batches.epoch(order(), start):  # what came before leaves no trace
                pass
            return torch.cat([b.x for b in batches.epoch(order() if rows is None else rows, epoch)])

    first = pictures(3)
    assert torch.equal(first, pictures(3, start=7))
    assert not torch.equal(first, pictures(4))
    assert not torch.equal(first, pictures(3, seed=1))
    assert torch.equal(pictures(3, seed=-1), pictures(3, seed=-1))
    # Within an epoch no batch repeats another's numbers.
    same = torch.arange(16).repeat(2)
    once, again = pictures(3, rows=same).chunk(2)
    assert not torch.equal(once, again)


def test_several_threads_give_the_pictures_of_one(monkeypatch):
    def pictures(n):
        monkeypatch.setattr(Loader, "threads", n)
        with make(policy="strong") as batches:
            return torch.cat([b.x for b in batches.epoch(order(), 1)])

    assert torch.equal(pictures(1), pictures(3))


def test_the_layout_in_memory_is_as_asked_for():
    for channels_last, kind in ((True, torch.channels_last), (False, torch.contiguous_format)):
        with make(images(channels=3), channels_last=channels_last) as batches:
            x = next(batches.epoch(order(), 1)).x
        assert x.is_contiguous(memory_format=kind)


def test_work_on_an_epoch_begins_before_its_first_batch_is_asked_for():
    with make() as batches:
        made = []
        plain = batches._make
        batches._make = lambda *given: made.append(given) or plain(*given)
        waiting = batches.epoch(order(), 1)
        deadline = time.monotonic() + 120
        while len(made) < AHEAD and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(made) == AHEAD
        assert len(list(waiting)) == 4


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_a_thread_reaches_the_caller(engine):
    with make(policy="strong", engine=engine) as batches:
        wrong = order()
        wrong[20] = 1000
        got = batches.epoch(wrong, 1)
        next(got)
        with pytest.raises(IndexError):
            next(got)
    assert threads() == []


def test_leaving_an_epoch_early_stops_the_work_and_leaves_no_thread():
    before = len(threads())
    batches = make(images(2000))
    for batch in batches.epoch(order(2000), 1):
        assert len(batch.x) == 16
        break
    made = []
    plain = batches._make
    batches._make = lambda *given: made.append(given) or plain(*given)
    # The loader can be used again, and closing it ends its threads.
    assert len(next(batches.epoch(order(2000), 2)).x) == 16

    def stopped():
        with batches:
            for _ in batches.epoch(order(2000), 3):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(made) < 10
    assert len(threads()) == before


def test_pixels_that_cannot_be_written_to_are_read_where_they_are(tmp_path):
    np.save(tmp_path / "pack.npy", images().pixels.numpy())
    mapped = np.load(tmp_path / "pack.npy", mmap_mode="c")
    with make(Images(np.arange(70), torch.from_numpy(mapped), images().hard, images().soft), "strong") as batches:
        x = torch.cat([b.x for b in batches.epoch(order(), 1)])
    with make(policy="strong") as batches:
        assert torch.equal(x, torch.cat([b.x for b in batches.epoch(order(), 1)]))


def test_a_batch_that_is_held_keeps_its_pictures():
    with make(images(320), "strong") as batches:
        held, kept = [], []
        for epoch in (1, 2):
            for batch in batches.epoch(order(320), epoch):
                held.append(batch)
                kept.append(batch.x.clone())
    assert len({batch.x.data_ptr() for batch in held}) == 40
    assert all(torch.equal(batch.x, x) for batch, x in zip(held, kept, strict=True))


def test_an_engine_that_there_is_not_names_those_that_there_are():
    with pytest.raises(BadOption, match="auto, device, workers"):
        make(engine="dali")
