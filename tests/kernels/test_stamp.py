import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxray.kernels import stamp as module
from onnxray.kernels.stamp import plain_stamp, stamp
from onnxray.kernels.stamping import chunked
from torch import Tensor

CL = torch.channels_last


@pytest.fixture(params=["few", "function", "pieces"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs through each of the ways that sizes choose from."""
    if request.param != "few":
        monkeypatch.setattr(module, "FEW", 0)
    if request.param == "pieces":
        monkeypatch.setattr(chunked, "PIECE", 40)


def question(
    triggers: int, count: int, channels: int, size: int, images: str, lying: bool, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Images, masks, patterns and index; images shared, own or by index."""
    random = torch.Generator().manual_seed(triggers * count + channels * size)
    shape = {"shared": (count,), "own": (triggers, count), "index": (count + 2,)}[images]
    x = torch.rand(*shape, channels, size, size + 1, generator=random, dtype=torch.float64)
    if lying:
        x = x.movedim(-3, -1).contiguous().movedim(-1, -3)
    m = torch.rand(triggers, 1, size, size + 1, generator=random, dtype=torch.float64)
    p = torch.rand(triggers, channels, size, size + 1, generator=random, dtype=torch.float64)
    index = torch.randint(count + 2, (triggers, count), generator=random) if images == "index" else None
    return x.to(dtype), m.to(dtype), p.to(dtype), index


questions = st.tuples(
    st.integers(1, 3),
    st.integers(0, 4),
    st.sampled_from([1, 3]),
    st.integers(1, 6),
    st.sampled_from(["shared", "own", "index"]),
    st.booleans(),
)


@settings(deadline=None)
@given(asked=questions, channels_last=st.booleans(), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_it_is_the_blend_of_equation_2(
    asked: tuple[int, int, int, int, str, bool], channels_last: bool, dtype: torch.dtype
) -> None:
    x, m, p, index = question(*asked, dtype)
    got = stamp(x, m, p, index, channels_last=channels_last)
    assert got.shape == (asked[0], asked[1], *p.shape[1:])
    assert got.dtype == dtype
    assert not (channels_last and got.numel()) or got.flatten(0, 1).is_contiguous(memory_format=CL)
    pictures = (x if index is None else x[index]).double().numpy()
    for t, stamped in enumerate(got):
        mask, pattern = m[t].double().numpy(), p[t].double().numpy()
        own = pictures[t] if pictures.ndim == 5 else pictures
        np.testing.assert_allclose(stamped.numpy(), (1 - mask) * own + mask * pattern, atol=1e-6)


@settings(deadline=None)
@given(asked=questions, channels_last=st.booleans(), given_last=st.booleans())
def test_gradients_are_those_of_the_plain_expression(
    asked: tuple[int, int, int, int, str, bool], channels_last: bool, given_last: bool
) -> None:
    x, m, p, index = question(*asked)
    got = stamp(x, m.requires_grad_(), p.requires_grad_(), index, channels_last=channels_last).flatten(0, 1)
    g = torch.randn(got.shape).contiguous(memory_format=CL if given_last else torch.contiguous_format)
    ours = torch.autograd.grad(got, (m, p), g)
    true_m, true_p = (t.detach().double().requires_grad_() for t in (m, p))
    true = plain_stamp(x.double(), true_m, true_p, index).flatten(0, 1)
    for one, want in zip(ours, torch.autograd.grad(true, (true_m, true_p), g.double()), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("images", ["shared", "own", "index"])
def test_gradients_match_finite_differences_twice(images: str) -> None:
    x, m, p, index = question(2, 3, 2, 2, images, False, torch.float64)
    m.requires_grad_(), p.requires_grad_()

    def blend(m: Tensor, p: Tensor) -> Tensor:
        return stamp(x, m, p, index, channels_last=True)

    assert torch.autograd.gradcheck(blend, (m, p))
    assert torch.autograd.gradgradcheck(blend, (m, p))


def test_images_have_a_gradient_where_they_ask_for_one() -> None:
    x, m, p, index = question(2, 3, 1, 2, "index", False, torch.float64)
    assert torch.autograd.gradcheck(lambda x, m: stamp(x, m, p, index), (x.requires_grad_(), m.requires_grad_()))


def test_a_mask_of_zero_leaves_and_a_mask_of_one_covers_to_the_bit() -> None:
    x, m, p, _ = question(2, 3, 3, 5, "shared", False)
    assert torch.equal(stamp(x, torch.zeros_like(m), p), x.expand(2, -1, -1, -1, -1))
    if module.FEW == 0:
        assert torch.equal(stamp(x, torch.ones_like(m), p), p[:, None].expand(-1, 3, -1, -1, -1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("images", ["shared", "index"])
def test_short_floats_are_added_up_in_float32(dtype: torch.dtype, images: str) -> None:
    x, m, p, index = question(1, 600, 1, 2, images, False, dtype)
    stamped = stamp(x, m.requires_grad_(), p.requires_grad_(), index)
    assert stamped.dtype == dtype
    of_mask, of_pattern = torch.autograd.grad(stamped, (m, p), torch.ones_like(stamped))
    chosen = (x if index is None else x[index][0]).double()
    true = (p.detach().double() - chosen).sum(0, keepdim=True)
    torch.testing.assert_close(of_mask.double(), true, rtol=0.02, atol=0.5)
    torch.testing.assert_close(of_pattern.double(), 600 * m.detach().double(), rtol=0.01, atol=0.01)


def test_tensors_of_several_types_are_blended_as_torch_promotes_them() -> None:
    x, m, p, index = question(2, 3, 1, 2, "index", False)
    got = stamp((255 * x).byte(), m, p.double(), index)
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, plain_stamp((255 * x).byte(), m, p.double(), index))


def test_nothing_of_the_size_of_the_result_waits_for_the_backward_pass() -> None:
    if module.FEW:
        pytest.skip("small tensors may keep what they like")
    x, m, p, index = question(3, 8, 3, 4, "index", False)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        stamp(x, m.requires_grad_(), p.requires_grad_(), index, channels_last=True)
    assert kept
    assert {t.data_ptr() for t in kept} <= {t.data_ptr() for t in (x, m, p, index) if t is not None}


def test_it_is_part_of_a_compiled_graph() -> None:
    x, m, p, index = question(2, 3, 3, 4, "index", False)
    compiled = torch.compile(stamp, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, m.requires_grad_(), p, index), stamp(x, m, p, index))


def test_an_index_outside_the_images_is_refused() -> None:
    x, m, p, index = question(2, 3, 1, 2, "index", False)
    assert index is not None
    index[1, 1] = len(x)
    with pytest.raises(IndexError):
        stamp(x, m, p, index)


@pytest.mark.parametrize(
    ("x", "m", "p", "index"),
    [
        ((4, 3, 5, 5), (2, 1, 5, 5), (2, 1, 5, 5), None),
        ((4, 1, 5, 5), (1, 1, 5, 5), (2, 1, 5, 5), None),
        ((4, 1, 5, 5), (2, 1, 5, 6), (2, 1, 5, 6), None),
        ((3, 4, 1, 5, 5), (2, 1, 5, 5), (2, 1, 5, 5), None),
        ((2, 4, 1, 5, 5), (2, 1, 5, 5), (2, 1, 5, 5), (2, 3)),
        ((4, 1, 5, 5), (2, 1, 5, 5), (2, 1, 5, 5), (3, 3)),
        ((4, 1, 5, 5), (2, 1, 5, 5), (1, 5, 5), None),
    ],
)
def test_shapes_that_do_not_belong_together_are_named(
    x: tuple[int, ...], m: tuple[int, ...], p: tuple[int, ...], index: tuple[int, ...] | None
) -> None:
    with pytest.raises(ValueError, match=r"expected images \(N, C, H, W\).* got") as error:
        stamp(torch.rand(x), torch.rand(m), torch.rand(p), None if index is None else torch.zeros(index).long())
    assert str(x) in str(error.value)
