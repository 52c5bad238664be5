"""The Triton kernels: interpreted and compiled ahead of time where there is no GPU, and for real where there is one."""

import importlib.util
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from onnxray.kernels.activation_norms import backend_for
from onnxray.kernels.stamp import plain_stamp, stamp
from onnxray.kernels.stamping.launch import gradient_grid, stamp_grid

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


@needs_triton
def test_interpreted_values_and_gradients_are_those_of_float64(run: Callable[..., Any]) -> None:
    done = run("interpreted_stamp.py", interpret=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@needs_triton
def test_they_compile_for_gpus_that_are_not_here_and_spill_nothing(run: Callable[..., Any]) -> None:
    done = run("stamp_ahead_of_time.py", interpret=False)
    assert done.returncode == 0, done.stderr[-2000:]
    compiled = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(code["kernel"], code["capability"]) for code in compiled} == {
        (kernel, capability) for kernel in ("stamp", "gradient") for capability in (80, 90)
    }
    assert not [code for code in compiled if code["stack"] or code["spills"]]
    assert max(code["registers"] for code in compiled) <= 128  # four blocks of 128 threads share 65,536
    assert all(code["wide_loads"] for code in compiled if code["kernel"] == "stamp" and not code["channels_last"])


@pytest.mark.parametrize("triggers", [1, 10, 2000])
@pytest.mark.parametrize(("count", "channels", "positions"), [(16, 3, 32 * 32), (1, 1, 1), (1000, 20, 224 * 224)])
def test_a_grid_covers_everything_once(triggers: int, count: int, channels: int, positions: int) -> None:
    grid = stamp_grid(triggers, count, channels, positions, 132)
    tiles = -(-positions // grid.block_s)
    parts = grid.programs // tiles // triggers
    assert tiles * parts * triggers == grid.programs
    assert (parts - 1) * grid.part < count <= parts * grid.part
    assert gradient_grid(triggers, channels, positions, 132).programs % triggers == 0


# ---- on a GPU -------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("shape", [(20, 3, 32, 32), (20, 1, 28, 28), (20, 3, 37, 53), (20, 20, 7, 9)])
def test_values_and_gradients_on_a_gpu(
    shape: tuple[int, ...], indexed: bool, channels_last: bool, dtype: torch.dtype
) -> None:
    assert backend_for("cuda", dtype).name == "triton", backend_for("cuda", dtype).note
    order = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.rand(shape, device="cuda").to(dtype).contiguous(memory_format=order)
    m = torch.rand(5, 1, *shape[2:], device="cuda").to(dtype).requires_grad_()
    p = torch.rand(5, *shape[1:], device="cuda").to(dtype).requires_grad_()
    index = torch.randint(20, (5, 16), device="cuda") if indexed else None
    got = stamp(x, m, p, index, channels_last=channels_last)
    assert got.flatten(0, 1).is_contiguous(memory_format=order)
    true_m, true_p = (t.detach().double().requires_grad_() for t in (m, p))
    true = plain_stamp(x.double(), true_m, true_p, index)
    tolerance = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}[dtype]
    torch.testing.assert_close(got.double(), true, rtol=tolerance, atol=tolerance)
    g = torch.randn(got.shape, device="cuda").to(dtype)
    ours = torch.autograd.grad(got, (m, p), g, retain_graph=True)
    again = torch.autograd.grad(got, (m, p), g)
    for one, same, want in zip(ours, again, torch.autograd.grad(true, (true_m, true_p), g.double()), strict=True):
        torch.testing.assert_close(one.double(), want, rtol=tolerance, atol=20 * tolerance)
        assert torch.equal(one, same)


@pytest.mark.gpu
def test_an_index_outside_the_images_is_not_followed_on_a_gpu() -> None:
    x, m, p = (torch.rand(2, 1, 8, 8, device="cuda") for _ in range(3))
    got = stamp(x, m, p, torch.tensor([[0, 2], [-1, 1]], device="cuda"))
    assert got.isnan().flatten(2).all(2).tolist() == [[False, True], [True, False]]
