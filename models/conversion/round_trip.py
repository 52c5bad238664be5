"""A channel pruned in the twin, written back into the file: does onnxruntime answer as the twin predicts?

python -m onnxray.models.conversion.round_trip [--suspects FOLDER]
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rich_click as click
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from onnxruntime import InferenceSession
from rich.console import Console
from rich.table import Table

from ...converters import Model, OnnxrayError, open_model, save
from ...converters.answers import find_answer
from ...converters.errors import TwinError
from ...converters.graphs import tensors
from ...converters.normalize import inline_functions, strip_head
from ...converters.parity import tolerance_for
from ...converters.runtime import cast
from ...converters.twin import Twin
from .originals import write_originals
from .pruning import Layer, layers

__all__ = ["RoundTrip", "round_trip"]

_CHANNELS = 8  # of each layer that are tried
_LAYERS = 3  # hidden ones that are tried
_INPUTS = 16


@dataclass(frozen=True)
class RoundTrip:
    """What became of one pruned channel.

    Attributes:
        weight: name of the pruned weight in the file.
        channel: index along its output axis.
        elements: how many elements of the file changed.
        changed_bytes: how many bytes of the file, external data included, differ.
        identical: whether everything but the edited weights is the same, byte for byte.
        effect: largest change of a logit in onnxruntime, in units of the logit scale.
        error: largest difference between onnxruntime on the new file and the edited twin, in the same unit.
        before: the same for the original and the twin as it was.
        tolerance: the largest `error` that passes, as for parity.
    """

    weight: str
    channel: int
    elements: int
    changed_bytes: int
    identical: bool
    effect: float
    error: float
    before: float
    tolerance: float

    @property
    def passes(self) -> bool:
        """Whether the file answers as predicted, by a change that shows, with nothing else touched."""
        return self.identical and self.error <= self.tolerance < self.effect


def round_trip(path: Path, inputs: NDArray[Any], out: Path) -> RoundTrip:
    """Prune the channel whose loss shows most, and write it into a copy at `out`; the twin is the model's own.

    Args:
        path: an ONNX classifier.
        inputs: (N, ...) in its domain.
        out: where the copy goes; in a folder of its own if the model has external data.

    Raises:
        OnnxrayError: the model has no twin, or no layer that can be pruned.
    """
    model = open_model(path)
    model.build_twin(inputs)
    twin = model.torch
    if not isinstance(twin, Twin):
        raise TwinError(f"{path}: its twin is of another make")
    layer, channel = _most_telling(model, twin, inputs)
    original, predicted_before = _logits(model, inputs), twin.scores(inputs)
    layer.clear(twin, channel)
    edits = twin.changes()
    summary = save(model, edits, out)
    patched = _logits(open_model(out), inputs)
    scale = float(np.abs(original).max()) or 1.0
    same, changed = _compared(path, out, set(edits), sum(summary.elements.values()))
    return RoundTrip(
        weight=layer.weight,
        channel=channel,
        elements=sum(summary.elements.values()),
        changed_bytes=changed,
        identical=same,
        effect=float(np.abs(patched - original).max()) / scale,
        error=float(np.abs(patched - twin.scores(inputs)).max()) / scale,
        before=float(np.abs(original - predicted_before).max()) / scale,
        tolerance=tolerance_for(model.graph).relative,
    )


def _most_telling(model: Model, twin: Twin, inputs: NDArray[Any]) -> tuple[Layer, int]:
    """The layer and channel whose loss moves a logit most; hidden layers before the last one."""
    found = layers(model, twin)
    for group in (found[:-1][:_LAYERS], found[-1:]):
        effects = {pair: _effect(twin, *pair, inputs) for layer in group for pair in _some_channels(twin, layer)}
        if any(effects.values()):
            return max(effects, key=lambda pair: effects[pair])
    raise TwinError(f"{model.path}: no layer with weights of the file and a channel whose loss shows")


def _some_channels(twin: Twin, layer: Layer) -> list[tuple[Layer, int]]:
    """A few of a layer's channels, spread over all."""
    count = layer.channels(twin)
    return [(layer, int(i)) for i in np.unique(np.linspace(0, count - 1, _CHANNELS).astype(int))]


def _effect(twin: Twin, layer: Layer, channel: int, inputs: NDArray[Any]) -> float:
    """Largest change of a logit without a channel, which is put back."""
    before = twin.scores(inputs)
    names = [name for name in (layer.weight, layer.bias) if name]
    kept = [(form, form.clone()) for name in names for form in twin.weights.forms(name)]
    layer.clear(twin, channel)
    effect = float(np.abs(twin.scores(inputs) - before).max())
    for form, value in kept:
        form.copy_(value)
    return effect


def _logits(model: Model, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """The file's own logits (N, K) in onnxruntime; those of a single score are (0, score), as the twin's."""
    output = find_answer(model.graph, model.path).spec.name
    graph = strip_head(inline_functions(model.graph), output)
    session = InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    batch = session.get_inputs()[0].shape[0]
    size = batch if isinstance(batch, int) and batch > 0 else len(inputs)
    values = cast(inputs, model.facts.input.dtype)
    chunks = [values[i : i + size] for i in range(0, len(values), size)]
    rows = [session.run(None, {model.facts.input.name: chunk})[0].reshape(len(chunk), -1) for chunk in chunks]
    logits = np.concatenate(rows).astype(np.float32)
    return logits if logits.shape[1] > 1 else np.concatenate([np.zeros_like(logits), logits], 1)


def _compared(original: Path, patched: Path, edited: set[str], elements: int) -> tuple[bool, int]:
    """Whether two files are the same but for some weights' data, and how many bytes differ."""
    one, two = ModelProto.FromString(original.read_bytes()), ModelProto.FromString(patched.read_bytes())
    beside = {entry.value for t in tensors(one) for entry in t.external_data if entry.key == "location"}
    pairs = [(original, patched), *((original.parent / name, patched.parent / name) for name in sorted(beside))]
    counts = [_differing(a.read_bytes(), b.read_bytes()) for a, b in pairs]
    width = max(numpy_helper.to_array(t).itemsize for t in tensors(open_model(original).graph))
    blank = [_blanked(message, edited) for message in (one, two)]
    few = all(grown or count <= elements * width for count, grown in counts)
    return blank[0] == blank[1] and few, sum(count for count, _ in counts)


def _blanked(message: ModelProto, edited: set[str]) -> bytes:
    """The message without the data of some weights."""
    named = [(t.name, t) for t in message.graph.initializer]
    named += [(n.output[0], a.t) for n in message.graph.node for a in n.attribute if n.op_type == "Constant"]
    for name, tensor in named:
        if name in edited:
            for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data"):
                tensor.ClearField(field)
    return bytes(message.SerializeToString(deterministic=True))


def _differing(one: bytes, two: bytes) -> tuple[int, bool]:
    """How many bytes differ, and whether the length does: then all count from the first to the last difference."""
    size = min(len(one), len(two))
    ahead, behind = (np.frombuffer(c, np.uint8) for c in (one, two))
    if len(one) == len(two):
        return int((ahead != behind).sum()), False
    start = int(np.argmax(ahead[:size] != behind[:size]))
    end = int(np.argmax(ahead[::-1][:size] != behind[::-1][:size]))
    return max(len(one), len(two)) - start - end, True


@click.command()
@click.option(
    "--suspects", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of .onnx files."
)
def main(suspects: Path | None) -> None:
    """Prune one channel of each original, write it back, and print what onnxruntime makes of it."""
    table = Table("original", "weight", "elements", "bytes", "rest identical", "effect", "error", "before", "passes")
    passed = tried = 0
    with tempfile.TemporaryDirectory() as name:
        originals = write_originals(Path(name) / "in")
        found = sorted(suspects.rglob("*.onnx")) if suspects else []
        originals |= {path.stem.split("__")[0] + " " + path.stem[-30:]: path for path in found}
        for number, (title, path) in enumerate(originals.items()):
            out = Path(name) / "out" / str(number)
            out.mkdir(parents=True)
            cells, passes = _row(path, out / "model.onnx")
            tried, passed = tried + (passes is not None), passed + bool(passes)
            table.add_row(title, *cells)
    console = Console(width=200)
    console.print(table)
    console.print(f"{passed} of {tried} round trips give what the twin predicts")


def _row(path: Path, out: Path) -> tuple[list[str], bool | None]:
    """A row of the table, and whether it passes; None where nothing can be pruned."""
    try:
        shape = open_model(path).facts.input.shape
        inputs = np.random.default_rng(1).random((_INPUTS, *(size or 32 for size in shape[1:])), np.float32)
        trip = round_trip(path, inputs, out)
    except OnnxrayError as error:
        return [str(error)[-60:], *[""] * 6, "none"], None
    numbers = [f"{value:.1e}" for value in (trip.effect, trip.error, trip.before)]
    identical = "yes" if trip.identical else "NO"
    cells = [f"{trip.weight[-30:]} [{trip.channel}]", str(trip.elements), str(trip.changed_bytes), identical, *numbers]
    return [*cells, "yes" if trip.passes else "NO"], trip.passes


if __name__ == "__main__":
    main()
