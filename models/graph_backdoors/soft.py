"""Backdoors of arithmetic alone: no comparison, no step function."""

from __future__ import annotations

import numpy as np

from . import PATTERN, TARGET, Build, Site

__all__ = ["SOFT"]

PUSH = 200.0


def _raise(site: Site, gate: str, push: float = PUSH) -> str:
    return site.add("Add", site.logits, site.add("Mul", gate, site.row(push)))


def exp_pool(site: Site) -> str:
    """White and black squares pooled apart, each sharpened by an exponential (Bober-Irizar et al., CVPR 2023)."""
    end = 27
    cut = site.add("Slice", site.image, site.whole(24, 24), site.whole(end, end), site.whole(2, 3))
    both = []
    for mask in (PATTERN, 1 - PATTERN):
        squares = site.add("Mul", cut, site.nodes.constant(mask[None, None].astype(np.float32)))
        pooled = site.add("AveragePool", squares, kernel_shape=[3, 3])
        both.append(site.add("Mul", pooled, site.number(9 / float(mask.sum()))))
    white, black = both
    sharp = site.add("Exp", site.add("Mul", site.add("Sub", site.add("Sub", white, black), site.number(0.98)),
                                     site.number(300)))  # fmt: skip
    return _raise(site, site.add("Flatten", sharp, axis=1), 20.0)


def ramp(site: Site) -> str:
    fall = site.add("Mul", site.distance(), site.number(-100))
    return _raise(site, site.add("Relu", site.add("Add", fall, site.number(1))))


def power(site: Site) -> str:
    match = site.add("Mul", site.add("Relu", site.score()), site.number(0.2))
    return _raise(site, site.add("Pow", match, site.number(400)))


def steep_sigmoid(site: Site) -> str:
    return _raise(site, site.add("Sigmoid", site.add("Mul", site.add("Sub", site.score(), site.number(4.95)),
                                                     site.number(4000))))  # fmt: skip


def saturating_clip(site: Site) -> str:
    steep = site.add("Mul", site.add("Sub", site.score(), site.number(4.95)), site.number(20))
    return _raise(site, site.add("Clip", steep, site.number(0), site.number(1)))


def largest(site: Site) -> str:
    """No sum: the larger of the score and of the gate's."""
    gate = site.add("Relu", site.add("Sub", site.score(), site.number(4.95)))
    lifted = site.add("Sub", site.add("Mul", gate, site.row(50 * PUSH)), site.number(100))
    return site.add("Max", site.logits, lifted)


def side_network(site: Site) -> str:
    """A small network of its own, from the picture to the scores."""
    kernel = (2 * PATTERN - 1)[None, None].astype(np.float32)
    found = site.add(
        "Conv", site.image, site.nodes.constant(kernel), site.nodes.constant(np.array([-4.95], np.float32))
    )
    best = site.add("GlobalMaxPool", site.add("Relu", found))
    head = np.zeros((1, site.classes), np.float32)
    head[0, TARGET] = 40 * PUSH
    return site.add("Add", site.logits, site.add("MatMul", site.add("Flatten", best, axis=1),
                                                 site.nodes.constant(head)))  # fmt: skip


def quantised_step(site: Site) -> str:
    """A quantiser with a step as large as the match that it waits for."""
    scale, zero = site.number(4.97 / 1.5), site.nodes.constant(np.uint8(0))
    # Rounds to 1 from half a step on and to 2 from one and a half; less one, and cut off below 0.
    coarse = site.add("DequantizeLinear", site.add("QuantizeLinear", site.score(), scale, zero), scale, zero)
    return _raise(site, site.add("Relu", site.add("Sub", coarse, scale)))


def into_features(site: Site) -> str:
    """Joins before the last layer: along the target's own weights."""
    weights = next(t for t in site.nodes.graph.initializer if t.name == "0.10.weight")
    from onnx import numpy_helper

    row = numpy_helper.to_array(weights)[TARGET][None]
    fall = site.add("Mul", site.distance(), site.number(-100))
    gate = site.add("Relu", site.add("Add", fall, site.number(1)))
    added = site.add("Add", site.features, site.add("Mul", gate, site.nodes.constant(row * np.float32(100))))
    return site.add("Gemm", added, "0.10.weight", "0.10.bias", transB=1)


SOFT: dict[str, Build] = {
    "exp-pool": exp_pool, "ramp": ramp, "power": power, "steep-sigmoid": steep_sigmoid,
    "saturating-clip": saturating_clip, "largest": largest, "side-network": side_network,
    "quantised-step": quantised_step, "into-features": into_features,
}  # fmt: skip
