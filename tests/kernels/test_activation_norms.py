import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from onnxray.kernels.activation_norms import activation_norms, activation_norms_reference, backend_for
from onnxray.kernels.norms.operator import norms_operator
from torch import Tensor

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x,
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "every other": lambda x: x[..., ::2],
}


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_threads_change_nothing(threads: int, layout: str) -> None:
    x, before = LAYOUTS[layout](torch.randn(6, 40, 120, 50)), torch.get_num_threads()
    alone = activation_norms(x, moments=True, argmax=True)
    try:
        torch.set_num_threads(threads)
        together = activation_norms(x, moments=True, argmax=True)
    finally:
        torch.set_num_threads(before)
    for one, other in zip(alone, together, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


def test_the_spread_survives_a_large_mean() -> None:
    x = (torch.randn(2, 3, 5000, dtype=torch.float64) * 0.01 + 1000).float()
    got = activation_norms(x, moments=True).variance
    assert got is not None
    torch.testing.assert_close(got.double(), x.double().var(2, correction=0), rtol=1e-4, atol=0)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4), (0, 5)])
@pytest.mark.parametrize("norms", [activation_norms, activation_norms_reference])
def test_nothing_has_no_size_no_mean_and_no_place(shape: tuple[int, ...], norms: object) -> None:
    assert callable(norms)
    got = norms(torch.empty(shape), moments=True, argmax=True)
    assert all(field.shape == shape[:2] for field in got)
    assert not got.l1.any()
    assert not got.l2.any()
    assert not got.linf.any()
    assert got.mean.isnan().all()
    assert (got.argmax == -1).all()


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (torch.tensor([[[True, False, True]]]), torch.float32),
        (torch.tensor([[[-128, 3, 127]]], dtype=torch.int8), torch.float32),
        (torch.tensor([[[2**31 - 1, -(2**31), 5]]], dtype=torch.int32), torch.float64),
        (torch.tensor([[[2**52, 1, 2]]]), torch.float64),
    ],
)
def test_whole_numbers_are_exact(x: Tensor, dtype: torch.dtype) -> None:
    got = activation_norms(x, argmax=True)
    assert got.l1.dtype == dtype
    assert got.linf.item() == max(abs(v) for v in x.flatten().tolist())
    assert got.l1.item() == sum(abs(v) for v in x.flatten().tolist())


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor(1.0),
        torch.ones(3),
        torch.ones(1, 1, 1, 1, 1, 1),
        torch.ones(2, 2).to_sparse(),
        torch.ones(2, 2) * 1j,
    ],
)
def test_what_has_no_norms_by_channel_is_refused(x: Tensor) -> None:
    with pytest.raises(ValueError, match="expected"):
        activation_norms(x)


def test_what_was_not_asked_for_is_not_there() -> None:
    got = activation_norms(torch.ones(1, 1, 2))
    assert (got.mean, got.second_moment, got.variance, got.argmax) == (None,) * 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_precision_is_added_up_in_float32(dtype: torch.dtype) -> None:
    x = torch.full((1, 1, 70_000), 60.0, dtype=dtype)  # the sum is beyond float16
    assert activation_norms(x).l1.item() == pytest.approx(60 * 70_000, rel=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("argmax", [False, True])
def test_gradients_match_finite_differences(layout: str, argmax: bool) -> None:
    x = LAYOUTS[layout](torch.randn(2, 3, 3, 4, dtype=torch.float64)).requires_grad_()

    def values(x: Tensor) -> Tensor:
        stack: Tensor = norms_operator(x, True, argmax)[0]
        return stack

    assert torch.autograd.gradcheck(values, (x,))
    assert torch.autograd.gradgradcheck(values, (x,))


def test_the_gradient_of_zeros_is_zero_and_of_ties_goes_to_the_first() -> None:
    x = torch.zeros(1, 1, 4, requires_grad=True)
    norms = activation_norms(x)
    (norms.l1 + norms.l2 + norms.linf).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert not x.grad.any()
    y = torch.tensor([[[1.0, -2.0, 2.0]]], requires_grad=True)
    activation_norms(y).linf.sum().backward()  # type: ignore[no-untyped-call]
    assert y.grad is not None
    assert y.grad.flatten().tolist() == [0, -1, 0]


def test_empty_tensors_have_gradients() -> None:
    x = torch.empty(2, 3, 0, requires_grad=True)
    activation_norms(x).l1.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("moments", "argmax"), [(False, False), (True, True)])
def test_torch_finds_the_operator_sound(dtype: torch.dtype, moments: bool, argmax: bool) -> None:
    x = torch.randn(2, 3, 4, 5).to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    torch.library.opcheck(norms_operator, (x, moments, argmax))


def test_it_is_part_of_a_compiled_and_an_exported_graph() -> None:
    def measure(x: Tensor) -> Tensor:
        norms = activation_norms(x.relu(), moments=True, argmax=True)
        assert norms.mean is not None
        return norms.l1 + norms.l2 * norms.mean

    x = torch.randn(3, 4, 5, 5, requires_grad=True)
    compiled = torch.compile(measure, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), measure(x))
    (ours,) = torch.autograd.grad(compiled(x).sum(), x)
    (plain,) = torch.autograd.grad(measure(x).sum(), x)
    torch.testing.assert_close(ours, plain)

    class Measured(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return measure(x)

    batch = torch.export.Dim("batch")
    exported = torch.export.export(Measured(), (x.detach(),), dynamic_shapes=({0: batch},)).module()
    torch.testing.assert_close(exported(torch.ones(7, 4, 5, 5)), measure(torch.ones(7, 4, 5, 5)))


def test_no_backend_is_loaded_before_it_is_used() -> None:
    code = "import sys, onnxray.kernels, onnxray.kernels.activation_norms as a; print('triton' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_devices_without_a_kernel_say_so() -> None:
    assert backend_for("meta").name == "torch"
    assert "meta" in backend_for("meta").note
    if not torch.cuda.is_available():
        assert backend_for("cuda").name == "torch"
        assert "no CUDA device" in backend_for("cuda").note
