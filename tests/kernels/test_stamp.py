import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnxray.kernels.stamp import stamp


@given(
    triggers=st.integers(1, 3),
    images=st.integers(0, 4),
    channels=st.sampled_from([1, 3]),
    size=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_stamp_is_the_blend_of_equation_2(triggers: int, images: int, channels: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.random((images, channels, size, size + 1))
    m = rng.random((triggers, 1, size, size + 1))
    p = rng.random((triggers, channels, size, size + 1))
    got = stamp(*(torch.from_numpy(a.astype(np.float32)) for a in (x, m, p)))
    assert got.shape == (triggers, images, channels, size, size + 1)
    for t in range(triggers):
        np.testing.assert_allclose(got[t].numpy(), (1 - m[t]) * x + m[t] * p[t], atol=1e-6)


def test_each_trigger_may_have_pictures_of_its_own() -> None:
    x, m, p = torch.rand(3, 4, 1, 5, 5), torch.rand(3, 1, 5, 5), torch.rand(3, 1, 5, 5)
    got = stamp(x, m, p)
    for t in range(3):
        torch.testing.assert_close(got[t], stamp(x[t], m[t : t + 1], p[t : t + 1])[0])


def test_gradients_match_finite_differences() -> None:
    x = torch.rand(2, 1, 3, 3, dtype=torch.float64)
    m = torch.rand(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    p = torch.rand(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m, p: stamp(x, m, p), (m, p))
