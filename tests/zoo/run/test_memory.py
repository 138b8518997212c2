import errno
import os
import weakref

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption
from zoo.run.memory import elsewhere, enough, if_it_fits, is_out_of_memory, scoring_batch

CPU = torch.device("cpu")


def a_petabyte() -> torch.Tensor:
    return torch.empty(1 << 50)


def test_as_many_images_are_scored_at_once_as_their_area_allows():
    sizes = (8, 48, 112, 113, 160, 224, 380, 456, 1024, 4096)
    assert [scoring_batch(size) for size in sizes] == [256, 256, 256, 128, 64, 64, 16, 8, 2, 1]


@pytest.mark.parametrize(
    "work",
    [
        a_petabyte,
        lambda: np.empty(1 << 56),
        lambda: bytearray(1 << 62),
    ],
)
def test_what_torch_numpy_and_python_raise_for_too_much_is_known(work):
    with pytest.raises((RuntimeError, MemoryError)) as error:
        work()
    assert is_out_of_memory(error.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        ValueError("[10:00:00] src/c_api/c_api.cc:1: std::bad_alloc"),  # xgboost's is a ValueError
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
)
def test_what_libraries_raise_for_too_much_is_known(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "out of memory.png"),
        BadOption("Memory ran out of memory.", "Said already."),
    ],
)
def test_what_is_another_error_is_none(error):
    assert not is_out_of_memory(error)


def test_work_that_does_not_fit_leaves_nothing_behind():
    left = []

    def work() -> torch.Tensor:
        made = torch.ones(3)
        left.append(weakref.ref(made))
        return made + a_petabyte()

    assert if_it_fits(work, CPU) is None
    assert left[0]() is None
    assert if_it_fits(lambda: 5, CPU) == 5
    with pytest.raises(ZeroDivisionError):
        if_it_fits(lambda: 1 // 0, CPU)


def test_the_innermost_guard_speaks_and_other_errors_go_through():
    with (
        pytest.raises(BadOption) as error,
        enough("cuda", "for the whole", "Outer."),
        enough("cuda", "for the part", "Inner."),
    ):
        a_petabyte()
    assert (error.value.message, error.value.hint) == ("Memory is not enough on cuda for the part.", "Inner.")
    with pytest.raises(KeyError), enough("cpu", "for this", "Nothing."):
        raise KeyError("x")


def test_another_device_is_advised_where_there_is_one():
    assert "--device cpu" in elsewhere("cuda")
    assert "--device" not in elsewhere("cpu")
