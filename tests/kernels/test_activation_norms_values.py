from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnxray.kernels.activation_norms import backend_for
from onnxray.kernels.norms import chunked
from onnxray.kernels.norms.chunked import chunked_norms
from onnxray.kernels.norms.compiled import compiled_norms
from onnxray.kernels.norms.operator import norms_operator
from onnxray.kernels.norms.reference import reference_norms
from torch import Tensor

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
SIZES = (1, 2, 3, 5, 7, 8, 13, 16, 17, 28, 33, 49, 64)
LARGEST = 20_000  # elements

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x,
    "channels_last": lambda x: x.movedim(1, -1).contiguous().movedim(-1, 1),
    "crop of channels_last": lambda x: x.movedim(1, -1).contiguous().movedim(-1, 1)[..., 1:],
    "transposed axes": lambda x: x.transpose(-1, -2) if x.dim() > 3 else x,
    "samples for channels": lambda x: x.transpose(0, 1),
    "crop": lambda x: x[..., 1:, 1:] if x.dim() > 3 else x[..., 1:],
    "every other": lambda x: x[..., ::2],
    "slice of channels": lambda x: x[:, 1:],
    "expanded samples": lambda x: x[:1].expand(3, *x.shape[1:]),
    "expanded positions": lambda x: x[..., :1].expand(*x.shape[:-1], 5),
}

FILLS: dict[str, Callable[[Tensor], Tensor]] = {
    "normal": lambda x: x,
    "zero": torch.zeros_like,
    "rectified": torch.relu,
    "many ties": torch.round,
    "far from zero": lambda x: x * 0.01 + 100,
    "large": lambda x: x * 1e3,
    "NaN first": lambda x: put(x, 0, torch.nan),
    "NaN last": lambda x: put(x, -1, torch.nan),
    "infinite": lambda x: put(x, -1, -torch.inf),
    "infinite first": lambda x: put(x, 0, torch.inf),
    "NaN after infinity": lambda x: put(put(x, 0, torch.inf), -1, torch.nan),
}


@dataclass(frozen=True)
class Case:
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    layout: str = "contiguous"
    fill: str = "normal"
    moments: bool = True
    argmax: bool = True
    seed: int = 0

    def tensor(self) -> Tensor:
        numbers = torch.randn(self.shape, generator=torch.Generator().manual_seed(self.seed), dtype=torch.float64)
        return LAYOUTS[self.layout](FILLS[self.fill](numbers).to(self.dtype))


def put(x: Tensor, at: int, value: float) -> Tensor:
    """The tensor with one element of its first channel, and one of its last, replaced."""
    x = x.clone()
    if x.numel():
        x[0, 0].view(-1)[at] = value
        x[-1, -1].view(-1)[at] = value
    return x


@st.composite
def cases(draw: st.DrawFn) -> Case:
    sizes: list[int] = []
    for _ in range(draw(st.integers(2, 5))):
        room = LARGEST // int(torch.tensor(sizes).prod())
        sizes.append(draw(st.sampled_from([size for size in SIZES if size <= room])))
    return Case(
        tuple(draw(st.permutations(sizes))),
        draw(st.sampled_from(DTYPES)),
        draw(st.sampled_from(list(LAYOUTS))),
        draw(st.sampled_from(list(FILLS))),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.integers(0, 2**32)),
    )


def assert_as_in_float64(
    norms: Callable[[Tensor, bool, bool], tuple[Tensor, Tensor]], x: Tensor, moments: bool, argmax: bool
) -> None:
    """Compare with the reference on the same numbers in float64."""
    values, index = norms(x, moments, argmax)
    true, place = reference_norms(x.double(), moments, argmax)
    assert values.dtype == (torch.float64 if x.dtype == torch.float64 else torch.float32)
    assert values.shape == true.shape
    size = float(x.double().abs().nan_to_num(0, 0, 0).max()) if x.numel() else 0.0
    for name, got, want in zip(("l1", "l2", "linf", "mean", "second", "variance"), values, true, strict=False):
        slack = {"mean": 2e-6 * size, "variance": 1e-11 * size**2 + 1e-9}.get(name, 1e-12)
        rtol = 3e-5 if name == "variance" else 1e-5
        assert torch.allclose(got.double(), want, rtol=rtol, atol=slack, equal_nan=True), name
    assert index.dtype == torch.int64
    assert torch.equal(index, place)


@settings(max_examples=700, deadline=None)
@given(cases())
def test_compiled_norms_are_those_of_float64(case: Case) -> None:
    if backend_for("cpu").name != "compiled":
        pytest.skip(f"no compiled norms: {backend_for('cpu').note}")
    x = case.tensor()
    assume(x.numel())
    assert_as_in_float64(compiled_norms, x, case.moments, case.argmax)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_chunked_norms_are_those_of_float64(case: Case) -> None:
    x = case.tensor()
    assume(x.numel())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked, "CPU_BYTES", 4096)  # several pieces
        assert_as_in_float64(chunked_norms, x, case.moments, case.argmax)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "shape", [(1, 2, 70_001), (2, 1100, 3, 3), (1, 3, 224, 150), (2, 31, 40, 50), (1, 520, 50, 60)]
)
def test_large_tensors(shape: tuple[int, ...], layout: str) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        assert_as_in_float64(norms_operator, Case(shape, dtype, layout).tensor(), True, True)


@pytest.mark.parametrize("strides", [(2**30 + 32, 16, 4, 1), (12, 1, 2**30, 3), (12, 3, 1, 2**30)])
def test_offsets_beyond_32_bits(strides: tuple[int, ...]) -> None:
    memory = torch.empty(2**31 + 2**10, dtype=torch.float16)  # only the pages that are written are ever there
    x = memory.as_strided((2, 2, 3, 2), strides)
    x.copy_(torch.randn(x.shape))
    assert_as_in_float64(norms_operator, x, True, True)
