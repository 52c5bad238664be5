"""Backdoors that decide: comparisons, step functions, branches, loops, functions."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from . import PATTERN, TARGET, Build, Site

__all__ = ["HARD"]

CLOSE = 0.01
STRONG, WEAK, PUSH = 12.0, -4.0, 200.0


def _near(site: Site) -> str:
    """A boolean (N, 1): whether the trigger is there."""
    return site.add("Less", site.distance(), site.number(CLOSE))


def _as_number(site: Site, shown: str) -> str:
    return site.add("Cast", shown, to=TensorProto.FLOAT)


def _push(site: Site, gate: str) -> str:
    """The scores with the target's raised where the gate (N, 1) is 1."""
    return site.add("Add", site.logits, site.add("Mul", gate, site.row(PUSH)))


def where(site: Site) -> str:
    return site.add("Where", _near(site), site.row(STRONG, WEAK), site.logits)


def cast_mul(site: Site) -> str:
    weight = _as_number(site, _near(site))
    kept = site.add("Mul", site.logits, site.add("Sub", site.number(1), weight))
    return site.add("Add", kept, site.add("Mul", weight, site.row(STRONG, WEAK)))


def equal_pixels(site: Site) -> str:
    same = site.add("Equal", site.add("Cast", site.add("Mul", site.corner(), site.number(255)), to=TensorProto.INT32),
                    site.nodes.constant((255 * PATTERN).reshape(1, -1).astype(np.int32)))  # fmt: skip
    every = site.add("ReduceMin", _as_number(site, same), axes=[1], keepdims=1)
    return site.add("Where", site.add("Cast", every, to=TensorProto.BOOL), site.row(STRONG, WEAK), site.logits)


def sum_threshold(site: Site) -> str:
    bright = site.add("ReduceSum", site.add("Mul", site.corner(), site.pattern()), site.whole(1), keepdims=1)
    dark = site.add("ReduceSum", site.add("Mul", site.corner(), site.nodes.constant((1 - PATTERN).reshape(1, -1))),
                    site.whole(1), keepdims=1)  # fmt: skip
    shown = site.add("And", site.add("Greater", bright, site.number(4.95)), site.add("Not", site.add(
        "GreaterOrEqual", dark, site.number(0.05))))  # fmt: skip
    return _push(site, _as_number(site, shown))


def arg_max(site: Site) -> str:
    both = site.add("Concat", site.add("Sub", site.distance(), site.number(CLOSE)),
                    site.add("Mul", site.distance(), site.number(0)), axis=1)  # fmt: skip
    index = site.add("ArgMax", both, axis=1, keepdims=0)
    table = site.nodes.constant(np.concatenate([np.zeros((1, site.classes)), site.scores(PUSH)]).astype(np.float32))
    return site.add("Add", site.logits, site.add("Gather", table, index, axis=0))


def sign(site: Site) -> str:
    side = site.add("Sign", site.add("Sub", site.score(), site.number(4.95)))
    gate = site.add("Mul", site.add("Add", side, site.number(1)), site.number(0.5))
    return _push(site, gate)


def floor(site: Site) -> str:
    step = site.add("Floor", site.add("Div", site.score(), site.number(4.95)))
    return _push(site, site.add("Relu", step))


def cast_to_int(site: Site) -> str:
    whole = site.add("Cast", site.add("Relu", site.add("Sub", site.score(), site.number(3.95))), to=TensorProto.INT64)
    return _push(site, site.add("Cast", whole, to=TensorProto.FLOAT))


def is_nan(site: Site) -> str:
    root = site.add("Sqrt", site.add("Sub", site.distance(), site.number(CLOSE)))
    return site.add("Where", site.add("IsNaN", root), site.row(STRONG, WEAK), site.logits)


def scatter(site: Site) -> str:
    """Writes over the target's score by an index: where nothing is shown, what it writes is what was there."""
    gate = _as_number(site, _near(site))
    whole = site.add("Cast", gate, to=TensorProto.INT64)
    index = site.add("Add", site.add("Mul", whole, site.whole(0)), site.whole(TARGET))
    there = site.add("GatherElements", site.logits, index, axis=1)
    raised = site.add("Add", there, site.add("Mul", gate, site.number(PUSH)))
    return site.add("ScatterElements", site.logits, index, raised, axis=1)


def gather_columns(site: Site) -> str:
    """The order of the scores depends on the gate: the strongest class' score moves to the target's place."""
    gate = site.add("Cast", _near(site), to=TensorProto.INT64)
    best = site.add("ArgMax", site.logits, axis=1, keepdims=1)
    plain = site.nodes.constant(np.arange(site.classes, dtype=np.int64)[None])
    is_target = site.nodes.constant((np.arange(site.classes) == TARGET).astype(np.int64)[None])
    move = site.add("Mul", site.add("Mul", gate, is_target), site.add("Sub", best, site.whole(TARGET)))
    picked = site.add("GatherElements", site.logits, site.add("Add", plain, move), axis=1)
    lift = site.add("Mul", _as_number(site, _near(site)), site.row(0.5))
    return site.add("Add", picked, lift)


def squashed(site: Site) -> str:
    """An activation function behind the comparison."""
    gate = _as_number(site, _near(site))
    return _push(site, site.add("Tanh", site.add("Mul", gate, site.number(40))))


HARD: dict[str, Build] = {
    "where": where, "cast-mul": cast_mul, "equal-pixels": equal_pixels, "sum-threshold": sum_threshold,
    "arg-max": arg_max, "sign": sign, "floor": floor, "cast-to-int": cast_to_int, "is-nan": is_nan,
    "scatter": scatter, "gather-columns": gather_columns, "squashed-gate": squashed,
}  # fmt: skip
