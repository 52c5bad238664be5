"""Random geometries of convolution and pooling: the network gives what onnxruntime gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Same = Callable[..., tuple[Tensor, ...]]
Geometry = tuple[tuple[int, ...], dict[str, Any]]
# The fixture keeps no state; a fixed seed makes a failure one that comes back.
sweep = settings(
    max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def geometries(draw: st.DrawFn, dilated: bool = True, rounding: bool = False) -> Geometry:
    """An input's spatial sizes, which hold at least one window, and the attributes of the windows."""
    rank = draw(st.integers(1, 3))

    def each(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))

    kernel, strides = each(1, 4), each(1, 3)
    options: dict[str, Any] = {"kernel_shape": kernel, "strides": strides}
    automatic = draw(st.sampled_from(["", "", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if automatic:
        options["auto_pad"] = automatic
    if automatic.startswith("SAME"):  # onnxruntime refuses longer steps in some versions of the operators
        options["strides"] = [min(s, k) for s, k in zip(strides, kernel, strict=True)]
    if automatic in ("", "NOTSET") and draw(st.booleans()):
        options["pads"] = [draw(st.integers(0, k - 1)) for k in kernel * 2]
    dilations = each(1, 2) if dilated and draw(st.booleans()) and not automatic.startswith("SAME") else [1] * rank
    if dilations != [1] * rank:
        options["dilations"] = dilations
    if rounding and draw(st.booleans()):
        options["ceil_mode"] = 1
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    return tuple(draw(st.integers(extent + 2, extent + 6)) for extent in extents), options


def values(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@sweep
@given(geometries(), st.sampled_from([1, 2, 4]), st.booleans(), st.sampled_from([7, 11, 22]))
def test_conv(same: Same, geometry: Geometry, group: int, biased: bool, opset: int) -> None:
    sizes, options = geometry
    weight, bias = values(2 * group, 4 // group, *options["kernel_shape"]), values(2 * group) if biased else None
    same("Conv", values(2, 4, *sizes), weight, bias, opset=opset, rtol=1e-4, group=group, **options)


@sweep
@given(geometries(), st.sampled_from([1, 2, 4]), st.booleans(), st.sampled_from([7, 11, 22]), st.data())
def test_conv_transpose(
    same: Same, geometry: Geometry, group: int, biased: bool, opset: int, data: st.DataObject
) -> None:
    sizes, options = geometry
    if data.draw(st.booleans()):
        options["output_padding"] = [data.draw(st.integers(0, s - 1)) for s in options["strides"]]
    elif data.draw(st.booleans()):
        steps = zip(options["strides"], options["kernel_shape"], sizes, strict=True)
        dilations = options.get("dilations", [1] * len(sizes))
        full = [(n - 1) * s + (k - 1) * d + 1 for (s, k, n), d in zip(steps, dilations, strict=True)]
        limits = zip(full, options["strides"], strict=True)
        options["output_shape"] = [data.draw(st.integers(max(f - 3, 1), f + s - 1)) for f, s in limits]
    weight, bias = values(4, 2, *options["kernel_shape"]), values(2 * group) if biased else None
    same("ConvTranspose", values(2, 4, *sizes), weight, bias, opset=opset, rtol=1e-4, group=group, **options)


@sweep
@given(geometries(rounding=True), st.sampled_from([0, 1]), st.sampled_from([11, 17, 22]), st.booleans())
def test_max_pool(same: Same, geometry: Geometry, order: int, opset: int, ties: bool) -> None:
    sizes, options = geometry
    x = values(2, 2, *sizes)
    same("MaxPool", x.round() if ties else x, opset=opset, outputs=2, storage_order=order, **options)
    same("MaxPool", x, opset=opset, **options)


@sweep
@given(geometries(rounding=True), st.sampled_from([0, 1]), st.sampled_from([19, 22]))
def test_average_pool(same: Same, geometry: Geometry, count: int, opset: int) -> None:
    sizes, options = geometry
    same("AveragePool", values(2, 2, *sizes), opset=opset, count_include_pad=count, **options)


@sweep
@given(geometries(dilated=False, rounding=True), st.sampled_from([0, 1]), st.sampled_from([10, 11, 17]))
def test_old_average_pool(same: Same, geometry: Geometry, count: int, opset: int) -> None:
    sizes, options = geometry
    same("AveragePool", values(2, 2, *sizes), opset=opset, count_include_pad=count, **options)


@sweep
@given(geometries(rounding=True), st.sampled_from([1, 2, 3]), st.sampled_from([18, 22]))
def test_lp_pool(same: Same, geometry: Geometry, p: int, opset: int) -> None:
    sizes, options = geometry
    same("LpPool", values(2, 2, *sizes), opset=opset, rtol=1e-4, p=p, **options)
