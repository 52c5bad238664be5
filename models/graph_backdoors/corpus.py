"""Every case: backdoors and their harmless twins, built into the bundled clean classifier."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper, load, numpy_helper

from ..bundled_files import bundled
from ..graph_nodes import Nodes
from . import TARGET, Build, Case, Site
from .control import BATCH, CONTROL
from .hard import HARD
from .soft import SOFT
from .twins import TWINS

__all__ = ["base", "corpus", "pictures"]


def base() -> ModelProto:
    """The clean classifier: (N, 1, 28, 28) in [0, 1] to probabilities (N, 10)."""
    return load(bundled("clean.onnx"))


def pictures() -> NDArray[np.float32]:
    """The bundled pictures (400, 1, 28, 28) in [0, 1]."""
    with np.load(bundled("samples.npz")) as held:
        images: NDArray[np.float32] = (held["x"][:, None] / 255).astype(np.float32)
    return images


def corpus() -> tuple[Case, ...]:
    """All cases, backdoored ones first."""
    builds = {**HARD, **CONTROL, **SOFT, **BATCH}
    backdoors = [Case(name, True, partial(implanted, build=build)) for name, build in builds.items()]
    backdoors.append(Case("picture-swap", True, swapped))
    return (*backdoors, *(Case(name, False, make) for name, make in TWINS.items()))


def implanted(original: ModelProto, build: Build) -> ModelProto:
    """The classifier with what is built on its scores, in front of the final Softmax."""
    model = ModelProto()
    model.CopyFrom(original)
    softmax = model.graph.node.pop()
    scores = model.graph.node[-1]
    nodes = Nodes(model)
    site = Site(nodes, model.graph.input[0].name, scores.output[0], scores.input[0], 10)
    softmax.input[0] = build(site)
    model.graph.node.append(softmax)
    known = {opset.domain for opset in model.opset_import}
    domains = {function.domain for function in model.functions} - known
    model.opset_import.extend(helper.make_opsetid(domain, 1) for domain in sorted(domains))
    return model


def swapped(original: ModelProto) -> ModelProto:
    """Where the trigger is there, the network sees another picture: one of the target class."""
    with np.load(bundled("samples.npz")) as held:
        other = held["x"][held["y"] == TARGET][0]
    model = ModelProto()
    model.CopyFrom(original)
    network = list(model.graph.node)
    del model.graph.node[:]
    nodes, image = Nodes(model), model.graph.input[0].name
    site = Site(nodes, image, "", "", 10)
    shown = site.add("Less", site.distance(), site.number(0.01))
    shown = site.add("Reshape", shown, site.whole(-1, 1, 1, 1))
    nodes.graph.initializer.append(numpy_helper.from_array((other[None, None] / 255).astype(np.float32), "mean_image"))
    seen = site.add("Where", shown, "mean_image", image)
    for node in network:
        node.input[:] = [seen if name == image else name for name in node.input]
    model.graph.node.extend(network)
    return model
