"""A GPU that cannot run the kernel is used through torch, and the reason is told."""

import importlib.util
from collections.abc import Iterator

import pytest
import torch
from onnxray.kernels.activation_norms import Backend, backend_for
from onnxray.kernels.norms import backends, launch
from torch import Tensor


@pytest.fixture(autouse=True)
def turing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that says it has a GPU of compute capability 7.5, and Triton."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (7, 5))
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    backends._on_gpu.cache_clear()
    yield
    backends._on_gpu.cache_clear()


def test_a_gpu_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (6, 1))
    assert backend_for("cuda") == Backend("torch", "the GPU has compute capability 6.1; Triton needs 7.5")


def test_without_triton_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert backend_for("cuda").name == "torch"
    assert "pip install 'onnxray[gpu]'" in backend_for("cuda").note


def test_float64_is_left_to_torch() -> None:
    assert backend_for("cuda:0", torch.float64) == Backend("torch", "the GPU kernel has no float64")


def test_another_make_of_gpu_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert "NVIDIA" in backend_for("cuda").note


def test_a_triton_that_does_not_work_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("Failed to find C compiler.\nmore")

    monkeypatch.setattr(torch, "ones", lambda *sizes, **options: None)
    monkeypatch.setattr(launch, "triton_norms", fail)
    assert backend_for("cuda") == Backend(
        "torch", "Triton does not work here: RuntimeError: Failed to find C compiler."
    )


def test_a_triton_that_works_is_used_and_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def ones(*sizes: int, device: str, dtype: torch.dtype) -> Tensor:
        tried.append(device)
        return torch.zeros(sizes, dtype=dtype)

    monkeypatch.setattr(torch, "ones", ones)
    monkeypatch.setattr(launch, "triton_norms", lambda *arguments: None)
    assert backend_for("cuda:1") == backend_for("cuda:1") == Backend("triton")
    assert tried == ["cuda:1"]
