"""One walk over a graph, node by node in order of execution, that builds a torch.fx.GraphModule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from keyword import iskeyword
from operator import getitem
from typing import Any

import torch
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper
from torch import Tensor, fx, nn

from .dtypes import tensor_of
from .graphs import live_nodes, opsets, reads, subgraphs
from .messages import one_line
from .operators import Operator, find, floats, ints, number
from .provenance import Constant, Origin, folded

__all__ = ["Unsupported", "Value", "Walk", "build"]

Value = fx.Node | Constant
# What computes a node that the table does not hold: the values of its outputs, or None if it is unknown there too.
Fallback = Callable[["Walk", NodeProto], Sequence[Value] | None]


class Unsupported(NotImplementedError):  # noqa: N818  (reads better where it is caught)
    """The graph asks for something that neither our table nor the fallback computes."""


def _no_fallback(walk: Walk, node: NodeProto) -> None:
    return None


def build(model: ModelProto, fallback: Fallback = _no_fallback) -> fx.GraphModule:
    """Convert a whole model, its nodes in order of execution; from its inputs to a tuple of its outputs.

    Each fx node carries the name of the ONNX tensor that it computes in ``meta["tensor"]`` and that of its ONNX node in
    ``meta["node"]``; a module's ``meta["constants"]`` tells the `Constant` behind each parameter and buffer.

    Raises:
        Unsupported: naming the node, and what about it is not supported.
    """
    walk = Walk(model.graph, opsets(model), fallback)
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in constants:
            walk.placeholder(value.name)
    return walk.run()


class Walk:
    """The state of one walk: what each tensor's name stands for so far.

    Attributes:
        graph: the ONNX graph.
        opsets: version of each operator domain.
        root: the module that takes the constants; it becomes the root of the GraphModule.
        values: ONNX tensor name -> fx node or constant; an initializer is read when it is first asked for.
    """

    def __init__(
        self, graph: GraphProto, versions: Mapping[str, int], fallback: Fallback, outside: Walk | None = None
    ) -> None:
        """Start with nothing known; for a subgraph, but the constants of the walk outside."""
        self.graph, self.opsets, self.root = graph, versions, nn.Module()
        self.values: dict[str, Value] = {}
        self._fallback, self._outside, self._fx = fallback, outside, fx.Graph()
        self._protos = {tensor.name: tensor for tensor in graph.initializer}
        self._constants: dict[str, Constant] = {}
        self._attributes: dict[int, fx.Node] = {}
        self._types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.input)}
        self._types |= {tensor.name: tensor.data_type for tensor in graph.initializer}

    def placeholder(self, name: str) -> fx.Node:
        """Add an input."""
        node = self._fx.create_node("placeholder", _identifier(name), name=_identifier(name))
        node.meta["tensor"] = name
        self.values[name] = node
        return node

    def run(self) -> fx.GraphModule:
        """Walk the nodes that lead to an output, and close the graph."""
        for node in live_nodes(self.graph):
            try:
                self._add(node)
            except Exception as error:
                kind = "" if isinstance(error, Unsupported) else f"{type(error).__name__}: "
                raise Unsupported(f"{_described(node)}: {kind}{one_line(error)}") from error
        self._fx.output(tuple(self.argument(self._value(output.name)) for output in self.graph.output))
        module = fx.GraphModule(self.root, self._fx)
        module.meta["constants"] = self._constants
        return module

    def inputs(self, node: NodeProto) -> list[Value | None]:
        """The values of a node's inputs, None for those left out."""
        return [self._value(name) if name else None for name in node.input]

    def argument(self, value: Value | None) -> fx.Node | None:
        """What stands for a value in the fx graph: a constant becomes a parameter or a buffer of the root."""
        if not isinstance(value, Constant):
            return value
        if id(value) not in self._attributes:
            name = self._attach(value.origin.initializer if value.origin else "constant", value)
            self._attributes[id(value)] = self._fx.get_attr(name)
        return self._attributes[id(value)]

    def call(self, target: Callable[..., Any] | nn.Module, args: Any, kwargs: Any, node: NodeProto) -> fx.Node:
        """Add a call of a function, or of a module, which becomes a child of the root."""
        name = _identifier(node.name or node.output[0])
        if isinstance(target, nn.Module):
            called = self._fx.create_node("call_module", self._child(name, target), tuple(args), kwargs, name)
        else:
            called = self._fx.create_node("call_function", target, tuple(args), kwargs, name)
        called.meta.update(node=node.name or node.op_type, operator=node.op_type)
        return called

    def parts(self, value: fx.Node, node: NodeProto) -> list[fx.Node]:
        """Each of the values that a call returns for a node's outputs."""
        return [self._fx.call_function(getitem, (value, i)) for i in range(len(node.output))]

    def _value(self, name: str) -> Value:
        if name not in self.values:
            self.values[name] = self._constant(name)
        return self.values[name]

    def _constant(self, name: str) -> Constant:
        """An initializer, under its own name; a subgraph shares those of the graphs around it."""
        if name in self._protos:
            return Constant(tensor_of(self._protos[name]), Origin(name))
        value = self._outside._value(name) if self._outside else None
        if not isinstance(value, Constant):
            raise Unsupported(f"nothing computes the tensor {one_line(name)!r}")
        return value

    def _add(self, node: NodeProto) -> None:
        operator = find(node.domain, node.op_type, self.opsets.get(node.domain, 1))
        if operator is None:
            values = self._fallback(self, node)
            if values is None:
                raise Unsupported("the operator is not supported")
        else:
            values = self._folded(operator, node) or self._called(operator, node)
        for name, value in zip(node.output, values, strict=False):
            self.values[name] = value
            if isinstance(value, fx.Node):
                value.meta.update(tensor=name, node=node.name or node.op_type)

    def _folded(self, operator: Operator, node: NodeProto) -> list[Value] | None:
        """The outputs, if all that they depend on is known."""
        inputs = self.inputs(node)
        if not operator.foldable or any(isinstance(value, fx.Node) for value in inputs):
            return None
        if any(subgraphs(attribute) for attribute in node.attribute):
            return None
        known = [value if isinstance(value, Constant) else None for value in inputs]
        args = [_literal(operator.kind(i), c) if c else None for i, c in enumerate(known)]
        attributes = self._attributes_of(operator, node, lambda tensor: tensor)
        with torch.no_grad():
            target, kwargs = operator.prepared(attributes)
            result = target(*args, **kwargs)
        results = result if operator.several else (result,)
        if not all(isinstance(value, Tensor) for value in results):
            return None
        return [folded(node, known, value) for value in results]

    def _called(self, operator: Operator, node: NodeProto) -> list[fx.Node]:
        inputs = self.inputs(node)
        if not operator.takes(len(inputs)):
            raise Unsupported(f"expected at most {len(operator.inputs)} inputs, got {len(inputs)}")
        args = [self._argument(operator.kind(i), value) for i, value in enumerate(inputs)]
        attributes = self._attributes_of(operator, node, None if operator.is_module else self._held)
        target, kwargs = operator.prepared(attributes)
        value = self.call(target, args, kwargs, node)
        return self.parts(value, node) if operator.several else [value]

    def _argument(self, kind: str, value: Value | None) -> Any:
        if isinstance(value, Constant):
            literal = _literal(kind, value)
            return self.argument(value) if isinstance(literal, Tensor) else literal
        return value

    def _attributes_of(self, operator: Operator, node: NodeProto, hold: Callable[[Tensor], Any] | None) -> Any:
        """The node's attributes as keyword arguments; `hold` says what stands for a tensor."""
        values: dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.name == "consumed_inputs":  # opset 1's hint of which memory may be reused
                continue
            if attribute.name not in operator.attributes:
                raise Unsupported(f"its attribute {one_line(attribute.name)} is not supported")
            values[attribute.name] = self._attribute(attribute, hold)
        if "_outputs" in operator.attributes:
            values["_outputs"] = len(node.output)
        if "_opset" in operator.attributes:
            values["_opset"] = self.opsets.get(node.domain, 1)
        if "_types" in operator.attributes:
            values["_types"] = tuple(self._types.get(name, 0) for name in node.input)
        return values

    def _attribute(self, attribute: AttributeProto, hold: Callable[[Tensor], Any] | None) -> Any:
        if attribute.type == AttributeProto.GRAPH:
            return self._body(attribute.g)
        if attribute.type == AttributeProto.TENSOR:
            tensor = tensor_of(attribute.t)
            return hold(tensor) if hold else tensor
        if attribute.type == AttributeProto.TYPE_PROTO:
            return None
        value = helper.get_attribute_value(attribute)
        if attribute.type in (AttributeProto.STRING, AttributeProto.STRINGS):
            return value.decode(errors="replace") if isinstance(value, bytes) else tuple(v.decode() for v in value)
        if attribute.type in (AttributeProto.FLOATS, AttributeProto.INTS):
            return tuple(value)
        if attribute.type in (AttributeProto.FLOAT, AttributeProto.INT):
            return value
        raise Unsupported(f"its attribute {one_line(attribute.name)} has a type that is not supported")

    def _held(self, tensor: Tensor) -> fx.Node | None:
        return self.argument(Constant(tensor))

    def _body(self, graph: GraphProto) -> fx.Node:
        """A subgraph as a function of its own inputs; what it reads from outside is bound to it."""
        inner = Walk(graph, self.opsets, self._fallback, self)
        outside = [name for name in reads(graph) if isinstance(self.values.get(name), fx.Node)]
        for name in outside:
            inner.placeholder(name)
        for value in graph.input:
            inner.placeholder(value.name)
        child = self._fx.get_attr(self._child(graph.name or "body", inner.run()))
        return self._fx.call_function(partial, (child, *(self.values[name] for name in outside)))  # type: ignore[arg-type]

    def _child(self, name: str, module: nn.Module) -> str:
        name = self._free_name(name)
        self.root.add_module(name, module)
        return name

    def _attach(self, name: str, constant: Constant) -> str:
        name = self._free_name(name)
        if constant.tensor.is_floating_point():
            self.root.register_parameter(name, nn.Parameter(constant.tensor, requires_grad=False))
        else:
            self.root.register_buffer(name, constant.tensor)
        self._constants[name] = constant
        return name

    def _free_name(self, name: str) -> str:
        name = stem = _identifier(name)
        count = 0
        while hasattr(self.root, name) or hasattr(fx.GraphModule, name):
            count += 1
            name = f"{stem}_{count}"
        return name


def _literal(kind: str, constant: Constant) -> Any:
    """A constant as its parameter's annotation asks for it."""
    if "Ints" in kind:
        return tuple(ints(constant.tensor))
    if "Floats" in kind:
        return tuple(floats(constant.tensor))
    if "Number" in kind:
        return number(constant.tensor)
    return constant.tensor


def _identifier(name: str) -> str:
    """A name that Python takes, as close to the ONNX name as can be."""
    name = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "value"
    return f"_{name}" if name[0].isdigit() or iskeyword(name) else name


def _described(node: NodeProto) -> str:
    kind = f"{node.domain}{'.' if node.domain else ''}{node.op_type}"
    return f"{kind} {one_line(node.name)!r}" if node.name else kind
