"""What ANP and I-BAU are made of, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from onnxray.converters import Model, open_model
from onnxray.converters.edited import run_edited, weight_values
from onnxray.converters.twin import Twin
from onnxray.models.bundled_files import bundled
from onnxray.scanner.domain_search import find_domain
from onnxray.scanner.errors import RepairError
from onnxray.scanner.images import load_images
from onnxray.scanner.repairs import Budget, Repair
from onnxray.scanner.repairs._hooked import Hooked
from onnxray.scanner.repairs._layers import layers_of
from onnxray.scanner.repairs._masking import _shaken, _usual
from onnxray.scanner.repairs._minimax import hypergradient
from onnxray.scanner.repairs.anp import Anp, _stilled
from onnxray.scanner.repairs.i_bau import IBau, _mean
from onnxray.scanner.samples import Samples
from scipy.special import softmax


@pytest.fixture(scope="module")
def subject() -> tuple[Model, Samples]:
    model = open_model(bundled("trojaned.onnx"))
    _, samples = find_domain(model, load_images(bundled("samples.npz"), limit=60))
    model.build_twin(samples.inputs())
    return model, samples


def test_a_mask_of_zero_is_a_stilled_channel(subject: tuple[Model, Samples]) -> None:
    model, samples = subject
    layer, inputs, units = layers_of(model)[1], samples.inputs()[:8], [0, 3, 5]
    twin = model.torch
    assert isinstance(twin, Twin)
    values = twin.tensor_of(inputs)
    (usual,) = _usual(twin, [layer], values)
    mask, still = torch.ones_like(usual), torch.zeros_like(usual)
    mask[units] = 0
    network = Hooked(twin, {layer.output: _shaken(layer.spatial, usual, mask, still, still)})
    edits = _stilled(layer, weight_values(model), units, usual.numpy())
    wanted = run_edited(model, edits).run(inputs)
    np.testing.assert_allclose(softmax(network.logits(values).numpy(), 1), wanted, atol=1e-4)
    assert usual[units].all()


def test_scale_and_bias_are_shaken_each_on_its_own() -> None:
    value, usual = torch.tensor([[1.0, 5.0], [3.0, 9.0]]), torch.tensor([2.0, 7.0])
    one, none, half = torch.ones(2), torch.zeros(2), torch.full((2,), 0.5)
    assert _shaken(False, usual, one, none, none)(value).tolist() == value.tolist()
    assert _shaken(False, usual, one, half, none)(value).tolist() == [[0.5, 4.0], [3.5, 10.0]]
    assert _shaken(False, usual, one, none, half)(value).tolist() == [[2.0, 8.5], [4.0, 12.5]]


@pytest.mark.parametrize(("steps", "share"), [(0, 0.1), (1, 0.16), (200, 0.25)])
def test_the_hypergradient_counts_in_how_the_shift_answers(steps: int, share: float) -> None:
    """The best shift for 2 s^2 - w s is w / 4; steps bring this share of it into the gradient."""
    weight, shift = torch.tensor(2.0, requires_grad=True), torch.tensor(0.5, requires_grad=True)
    outer = (shift - 1).square() / 2 + weight.square()
    inner = 2 * shift.square() - weight * shift
    (found,) = hypergradient(outer, inner, shift, [weight], steps)
    assert found.item() == pytest.approx(4 - 0.5 * share, abs=1e-5)


@pytest.mark.parametrize("method", [Anp(), IBau()])
def test_too_few_samples_are_refused(method: Repair, subject: tuple[Model, Samples]) -> None:
    model, samples = subject
    with pytest.raises(RepairError, match="needs 50 clean samples to work on, got 49"):
        method.run(model, samples.take(np.arange(49)), [], Budget())


def test_masks_that_stay_up_are_told(subject: tuple[Model, Samples]) -> None:
    model, samples = subject
    with pytest.raises(RepairError, match=r"no channel.s mask fell below 0.9; the lowest is"):
        replace(Anp(), iterations=1, lr=0.0001).run(model, samples, [], Budget())


def test_rounds_that_cost_too_much_are_not_kept(subject: tuple[Model, Samples]) -> None:
    model, samples = subject
    before = [p.clone() for p in model.torch.state_dict().values()]
    with pytest.raises(RepairError, match="every round costs more than 2 points of clean accuracy; try a smaller lr"):
        replace(IBau(), rounds=1, lr=1.0, attack_passes=1).run(model, samples, [], Budget())
    assert all((p == q).all() for p, q in zip(before, model.torch.state_dict().values(), strict=True))


def test_rounds_are_averaged_weight_by_weight() -> None:
    seen = [{"w": np.array([1.0, 2.0], np.float16)}, {"w": np.array([3.0, 6.0], np.float16)}]
    assert _mean(seen)["w"].tolist() == [2.0, 4.0]
    assert _mean(seen)["w"].dtype == np.float16
