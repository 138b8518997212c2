import os
import subprocess
import sys

import pytest
import torch

from ferdata.errors import BadOption
from zoo.run.device import exact, fast, has_bf16, resolve


def test_auto_resolves_to_what_is_here():
    device, precision = resolve("auto", "auto")
    assert device in ("cpu", "cuda", "mps")
    assert precision in ("32-true", "bf16-mixed", "16-mixed")


def test_what_is_asked_for_is_kept():
    assert resolve("cpu", "32-true") == ("cpu", "32-true")


@pytest.mark.parametrize(("device", "precision"), [("tpu", "auto"), ("cpu", "8-bit"), ("cpu", "16-mixed")])
def test_what_cannot_be_is_refused(device, precision):
    with pytest.raises(BadOption):
        resolve(device, precision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(BadOption, match="no cuda device"):
        resolve("cuda", "auto")


def test_a_processor_that_is_held_to_avx2_computes_in_float32():
    held = {**os.environ, "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    code = "from zoo.run.device import exact, fast, has_bf16, resolve; print(has_bf16('cpu'), *resolve('cpu', 'auto'))"
    done = subprocess.run([sys.executable, "-c", code], env=held, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "cpu", "32-true"]


def test_a_gpu_that_only_emulates_bfloat16_computes_in_float16(monkeypatch):
    """A T4 and a V100 say that they support it, unless they are asked whether it is their own."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not has_bf16("cuda")
    assert resolve("cuda", "auto") == ("cuda", "16-mixed")


def test_sums_are_formed_in_whole_float32_only_where_they_are_to_be_exact():
    gpu, before = torch.device("cuda"), torch.get_float32_matmul_precision()
    with fast(gpu):
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.benchmark
        with exact(gpu):
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cudnn.benchmark
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == before
    assert not torch.backends.cudnn.benchmark
