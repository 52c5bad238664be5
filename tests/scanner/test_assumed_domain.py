"""What an input is taken to be without pictures: given, stored beside the model, or [0, 1]."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnxray.scanner.assumed_domain import assumed_domain, no_samples, noise
from onnxray.scanner.domain_search import DomainOverrides
from onnxray.scanner.errors import OptionError, SamplesError


def model(shape: tuple[int | None, ...], folder: Path, dtype: str = "float32") -> Any:
    path = str(folder / "model.onnx")
    spec = SimpleNamespace(shape=(None, *shape), dtype=dtype, name="x")
    return SimpleNamespace(path=path, classes=5, facts=SimpleNamespace(input=spec, path=path))


@pytest.mark.parametrize(
    ("shape", "dtype", "layout", "size", "high"),
    [
        ((3, 32, 32), "float32", "NCHW", (3, 32, 32), 1),
        ((28, 28, 1), "float32", "NHWC", (1, 28, 28), 1),
        ((784,), "float32", "flat", (1, 28, 28), 1),
        ((3, 32, 32), "uint8", "NCHW", (3, 32, 32), 255),
        ((3, None, None), "float32", "NCHW", (3, 224, 224), 1),
        ((7,), "float32", "flat", (1, 1, 7), 1),
        ((12, 5), "float32", "NHW", (1, 12, 5), 1),
        ((12, 9, 9), "float32", "NCHW", (12, 9, 9), 1),
    ],
)
def test_without_anything_known_it_is_the_usual_range(
    shape: tuple[int | None, ...], dtype: str, layout: str, size: tuple[int, int, int], high: float, tmp_path: Path
) -> None:
    domain = assumed_domain(model(shape, tmp_path, dtype))
    assert (domain.layout, (domain.channels, domain.height, domain.width)) == (layout, size)
    inputs = noise(domain)
    assert inputs.shape[1:] == tuple(fixed or 224 for fixed in shape)
    assert (inputs.min(), inputs.max()) == pytest.approx((0, high), abs=0.1 * high)


def test_a_file_beside_the_model_says_otherwise_and_flags_overrule_it(tmp_path: Path) -> None:
    stored = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": {"height": 64, "width": 64}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stored))
    open_size = model((3, None, None), tmp_path)
    domain = assumed_domain(open_size)
    assert (domain.mean, domain.std, domain.height) == ((0.5,) * 3, (0.25,) * 3, 64)
    assert assumed_domain(open_size, DomainOverrides(input_range="-1,1")).name == "[-1, 1]"


def test_no_samples_are_samples_of_that_domain(tmp_path: Path) -> None:
    samples = no_samples(model((3, 32, 32), tmp_path))
    assert len(samples) == 0
    assert [len(half) for half in samples.halves(0)] == [0, 0]
    assert samples.inputs().shape == (0, 3, 32, 32)
    assert len(samples.outside({1}).draw(8, 0)) == 0


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match="four axes"):
        assumed_domain(model((2, 3, 4, 5), tmp_path))
    with pytest.raises(SamplesError):
        assumed_domain(model((7,), tmp_path), DomainOverrides(input_range="0,2"))
    with pytest.raises(OptionError):
        assumed_domain(model((3, 32, 32), tmp_path), DomainOverrides(layout="flat"))


def test_the_noise_fills_the_range(tmp_path: Path) -> None:
    assert np.isfinite(noise(assumed_domain(model((3, 32, 32), tmp_path)))).all()
