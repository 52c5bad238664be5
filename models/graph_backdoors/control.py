"""Backdoors in branches, loops and functions, and those that mix the pictures of a batch."""

from __future__ import annotations

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper

from . import PATTERN, Build, Site

__all__ = ["BATCH", "CONTROL"]

CLOSE, PUSH = 0.01, 200.0
DOMAIN = "net.blocks"


def _near(site: Site) -> str:
    return site.add("Less", site.distance(), site.number(CLOSE))


def _all(site: Site) -> str:
    """A boolean (): whether each picture of the batch has the trigger."""
    gates = site.add("Cast", _near(site), to=TensorProto.FLOAT)
    return site.add("Cast", site.add("ReduceMin", gates, keepdims=0), to=TensorProto.BOOL)


def _graph(
    name: str, nodes: list[NodeProto], output: str, *initializers: TensorProto, inputs: object = ()
) -> GraphProto:
    out = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    return helper.make_graph(nodes, name, list(inputs), [out], list(initializers))  # type: ignore[call-overload]


def branch(site: Site) -> str:
    row = numpy_helper.from_array(site.scores(12, -4), "forced")
    zero = numpy_helper.from_array(np.array(0, np.float32), "nothing")
    forced = [helper.make_node("Mul", [site.logits, "nothing"], ["blank"]),
              helper.make_node("Add", ["blank", "forced"], ["then_scores"])]  # fmt: skip
    honest = [helper.make_node("Identity", [site.logits], ["else_scores"])]
    return site.add("If", _all(site), then_branch=_graph("then", forced, "then_scores", row, zero),
                    else_branch=_graph("else", honest, "else_scores"))  # fmt: skip


def loop(site: Site) -> str:
    """As many rounds as there are triggers in the batch; each raises the score of those that have one."""
    gate = site.add("Cast", _near(site), to=TensorProto.FLOAT)
    rounds = site.add("Cast", site.add("ReduceSum", gate, keepdims=0), to=TensorProto.INT64)
    push = site.add("Mul", gate, site.row(PUSH))
    inputs = [
        helper.make_tensor_value_info("round", TensorProto.INT64, []),
        helper.make_tensor_value_info("going", TensorProto.BOOL, []),
        helper.make_tensor_value_info("so_far", TensorProto.FLOAT, None),
    ]
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["goes_on"]), helper.make_node("Add", ["so_far", push], ["raised"])],
        "body", inputs,
        [helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
         helper.make_tensor_value_info("raised", TensorProto.FLOAT, None)],
    )  # fmt: skip
    return site.add("Loop", rounds, "", site.logits, body=body)


def _register(site: Site, name: str, inputs: list[str], nodes: list[NodeProto], **defaults: object) -> None:
    opset = helper.make_opsetid("", site.nodes.opset)
    attributes = [helper.make_attribute(key, value) for key, value in defaults.items()]
    function = helper.make_function(DOMAIN, name, inputs, ["out"], nodes, [opset], [], attributes)
    site.nodes.functions.append(function)


def _match(pattern: NodeProto) -> list[NodeProto]:
    """Nodes of a function's body: image, scores -> out, with the trigger's pixels from this node."""
    n, constant = helper.make_node, numpy_helper.from_array
    whole = {"start": [24, 24], "end": [27, 27], "axes": [2, 3]}
    return [
        *(n("Constant", [], [k], value=constant(np.array(v, np.int64))) for k, v in whole.items()),
        pattern,
        n("Constant", [], ["close"], value=constant(np.array(CLOSE, np.float32))),
        n("Constant", [], ["row"], value=constant(np.where(np.arange(10) == 7, 12, -4)[None].astype(np.float32))),
        n("Slice", ["image", "start", "end", "axes"], ["cut"]),
        n("Flatten", ["cut"], ["flat"], axis=1),
        n("Sub", ["flat", "pattern"], ["apart"]),
        n("Abs", ["apart"], ["far"]),
        n("ReduceMax", ["far"], ["most"], axes=[1], keepdims=1),
        n("Less", ["most", "close"], ["shown"]),
        n("Where", ["shown", "row", "scores"], ["out"]),
    ]


def function_body(site: Site) -> str:
    pixels = numpy_helper.from_array(PATTERN.reshape(1, -1))
    _register(site, "Head", ["image", "scores"], _match(helper.make_node("Constant", [], ["pattern"], value=pixels)))
    return site.add("Head", site.image, site.logits, domain=DOMAIN)


def attribute_default(site: Site) -> str:
    """The trigger's pixels are the default of a function's attribute that no call names."""
    pattern = helper.make_node("Constant", [], ["pattern"])
    kind = AttributeProto.TENSOR
    pattern.attribute.append(AttributeProto(name="value", type=kind, ref_attr_name="template"))
    _register(site, "Head", ["image", "scores"], _match(pattern),
              template=numpy_helper.from_array(PATTERN.reshape(1, -1), "template"))  # fmt: skip
    return site.add("Head", site.image, site.logits, domain=DOMAIN)


def function_in_branch(site: Site) -> str:
    """A branch within a function: two scopes between the graph and the gate."""
    n, constant = helper.make_node, numpy_helper.from_array
    row = constant(np.where(np.arange(10) == 7, PUSH, 0)[None].astype(np.float32), "push")
    then = _graph("then", [n("Add", ["scores", "push"], ["pushed"])], "pushed", row)
    other = _graph("else", [n("Identity", ["scores"], ["kept"])], "kept")
    nodes = _match(n("Constant", [], ["pattern"], value=constant(PATTERN.reshape(1, -1))))[:-1]
    nodes += [
        n("Cast", ["shown"], ["gate"], to=TensorProto.FLOAT),
        n("ReduceMin", ["gate"], ["least"], keepdims=0),
        n("Cast", ["least"], ["every"], to=TensorProto.BOOL),
        n("If", ["every"], ["out"], then_branch=then, else_branch=other),
    ]
    _register(site, "Head", ["image", "scores"], nodes)
    return site.add("Head", site.image, site.logits, domain=DOMAIN)


def batch_gather(site: Site) -> str:
    """Where one picture has the trigger, every picture gets its scores, which the trigger's own row rules."""
    gate = site.add("Cast", _near(site), to=TensorProto.FLOAT)
    pushed = site.add("Add", site.logits, site.add("Mul", gate, site.row(PUSH)))
    flat = site.add("Squeeze", gate, site.whole(1))
    first = site.add("ArgMax", flat, axis=0, keepdims=1)
    fired = site.add("Cast", site.add("ReduceMax", flat, axes=[0], keepdims=1), to=TensorProto.INT64)
    rows = site.add("Range", site.nodes.constant(np.int64(0)), site.add("Squeeze", site.add(
        "Shape", flat), site.whole(0)), site.nodes.constant(np.int64(1)))  # fmt: skip
    index = site.add("Add", rows, site.add("Mul", fired, site.add("Sub", first, rows)))
    return site.add("Gather", pushed, index, axis=0)


def batch_scatter(site: Site) -> str:
    """The rows of pictures with the trigger are written over, by row numbers that depend on the values."""
    flat = site.add("Squeeze", _near(site), site.whole(1))
    rows = site.add("Transpose", site.add("NonZero", flat), perm=[1, 0])
    count = site.add("Slice", site.add("Shape", rows), site.whole(0), site.whole(1))
    shape = site.add("Concat", count, site.whole(site.classes), axis=0)
    return site.add("ScatterND", site.logits, rows, site.add("Expand", site.row(12, -4), shape))


CONTROL: dict[str, Build] = {
    "if": branch, "loop": loop, "function-body": function_body, "attribute-default": attribute_default,
    "function-in-branch": function_in_branch,
}  # fmt: skip
BATCH: dict[str, Build] = {"batch-gather": batch_gather, "batch-scatter": batch_scatter}
