"""The Triton kernel: interpreted and compiled ahead of time where there is no GPU, and for real where there is one."""

import importlib.util
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from onnxray.kernels.activation_norms import activation_norms, backend_for
from onnxray.kernels.norms.launch import plan_for
from onnxray.kernels.norms.reference import reference_norms

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


@needs_triton
def test_interpreted_values_are_those_of_float64(run: Callable[..., Any]) -> None:
    done = run("interpreted_norms.py", interpret=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.fixture(scope="module")
def compiled(run: Callable[..., Any]) -> list[dict[str, Any]]:
    done = run("norms_ahead_of_time.py", interpret=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@needs_triton
def test_it_compiles_for_gpus_that_are_not_here_and_spills_nothing(compiled: list[dict[str, Any]]) -> None:
    assert {code.get("capability") for code in compiled} >= {80, 90}
    assert not [code for code in compiled if code["stack"] or code["spills"]]
    assert max(code["registers"] for code in compiled) <= 168  # three blocks of 128 threads share 65,536


@needs_triton
def test_it_reads_sixteen_bytes_at_a_time_in_both_layouts(compiled: list[dict[str, Any]]) -> None:
    assert all(code["wide_loads"] for code in compiled if "type" in code)


@needs_triton
def test_maxima_of_long_rows_are_taken_by_hardware(compiled: list[dict[str, Any]]) -> None:
    long = [code for code in compiled if code.get("rows") == 1]
    assert len(long) > 3
    assert all(code["redux"] for code in long)


@pytest.mark.parametrize(
    ("shape", "processors"),
    [((64, 256, 28, 28), 132), ((1, 1, 2**20), 132), ((3, 5, 7), 1), ((2**16, 40), 8), ((1, 3, 1), 500)],
)
@pytest.mark.parametrize("extras", [False, True])
def test_a_plan_covers_every_position_once(shape: tuple[int, ...], processors: int, extras: bool) -> None:
    plan = plan_for(torch.empty(shape, device="meta"), extras, processors)
    assert plan.part % plan.block_s == 0
    assert plan.part * (plan.splits - 1) < plan.layout.positions <= plan.part * plan.splits
    assert plan.layout.samples * plan.layout.channels == shape[0] * shape[1]
    assert plan.block_c * plan.block_s <= 4096


def test_offsets_get_64_bits_only_where_they_need_them() -> None:
    assert not plan_for(torch.empty(2**12, 2**10, 2**10, device="meta"), False, 132).wide
    assert plan_for(torch.empty(1, 1, 2**31, device="meta"), False, 132).wide
    assert plan_for(
        torch.empty(2, 2**16, 2**8, 2**8, device="meta").to(memory_format=torch.channels_last), False, 132
    ).wide


# ---- on a GPU -------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shape", [(8, 64, 28, 28), (3, 5, 7, 9), (1, 3, 224, 224), (2, 600, 7, 7), (1, 2, 1500, 1500)])
def test_values_on_a_gpu(shape: tuple[int, ...], channels_last: bool, dtype: torch.dtype) -> None:
    order = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.randn(shape, device="cuda", dtype=dtype).contiguous(memory_format=order)
    assert backend_for("cuda", dtype).name == "triton", backend_for("cuda", dtype).note
    for y in (x, x[..., 1:, 2:], x[:, 1:], x.transpose(2, 3), x.round(), x[:1].expand(3, -1, -1, -1)):
        got = activation_norms(y, moments=True, argmax=True)
        true, place = reference_norms(y.double(), True, True)
        for one, want in zip(got[:6], true, strict=True):
            assert one is not None
            torch.testing.assert_close(one.double(), want, rtol=2e-5, atol=1e-5)
        assert got.argmax is not None
        assert torch.equal(got.argmax, place)


@pytest.mark.gpu
def test_nan_and_infinity_on_a_gpu() -> None:
    x = torch.randn(2, 4, 50, 50, device="cuda")
    x[0, 0, 3, 3], x[1, 1, 4, 4] = torch.nan, torch.inf
    got, true = activation_norms(x, moments=True, argmax=True), reference_norms(x.double(), True, True)
    for one, want in zip(got[:6], true[0], strict=True):
        assert one is not None
        torch.testing.assert_close(one.double(), want, rtol=2e-5, atol=1e-5, equal_nan=True)
    assert got.argmax is not None
    assert torch.equal(got.argmax, true[1])


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(2**17 + 1, 128, 128), (3, 1, 2**30)])
def test_more_than_two_billion_elements_on_a_gpu(shape: tuple[int, ...]) -> None:
    if torch.cuda.mem_get_info()[0] < 16 << 30:
        pytest.skip("needs 16 GiB of GPU memory")
    x = torch.zeros(shape, device="cuda", dtype=torch.float16)
    x[-1, -1, -1] = -3
    got = activation_norms(x, argmax=True)
    assert got.argmax is not None
    assert (got.l1[-1, -1].item(), got.linf[-1, -1].item(), got.argmax[-1, -1].item()) == (3, 3, shape[2] - 1)
    assert got.l1.sum().item() == 3


@pytest.mark.gpu
def test_speed_on_a_gpu() -> None:
    from onnxray.models.speed.norms import measure

    for row in measure("cuda", rounds=50):
        if row.shape != (128, 512, 7, 7):  # those take a few microseconds, less than a launch
            assert row.speedup.median >= 2.5, row
