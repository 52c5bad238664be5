"""PyTorch's exported programs, ``torch.export.save``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, Refused, require
from ._archive import packed
from ._exported_program import sanitised
from ._pickles import entries

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

_FORCED = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


class TorchExport(Framework):
    """Exported programs; what their loader would unpickle or evaluate is checked first (`_exported_program.py`)."""

    name = "PyTorch exported program"
    suffixes = (".pt2",)
    extra = "torch-export"

    def recognises(self, path: Path) -> bool:
        """By the marks of the archive, or by the suffix."""
        names = entries(path)
        return "archive_format" in names or (path.suffix.lower() == ".pt2" and path.is_file())

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Load what was checked and export it with its own shapes."""
        contents = sanitised(path)
        require("onnxscript", self.extra)
        from ._torch import exported, predictor

        program = _loaded(path, contents)
        model, exporter = exported(program, ())
        return Converted(model, predictor(_runnable(program)), exporter)


def _loaded(path: Path, contents: dict[str, bytes]) -> ExportedProgram:
    import pickle

    import torch

    with _only_weights():
        try:
            program = torch.export.load(packed(contents))
        except pickle.UnpicklingError as error:
            raise Refused(
                f"{path}: refused: it holds pickled objects other than tensors ({one_line(error, 120)}), and loading "
                "them could run code; save it again with tensors as example inputs"
            ) from None
        except Exception as error:  # noqa: BLE001 - torch's loader raises anything on a damaged file
            raise ModelError(
                f"{path}: torch {torch.__version__} cannot load it ({type(error).__name__}: {one_line(error, 160)}); "
                "save it again with this version of torch"
            ) from None
    program._guards_code = []  # pasted into source by `module`; those of the file were taken out, ours need none
    return program


@contextmanager
def _only_weights() -> Iterator[None]:
    """Make every torch.load inside torch refuse objects: its own loader asks for them."""
    before = os.environ.get(_FORCED)
    os.environ[_FORCED] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FORCED]
        else:
            os.environ[_FORCED] = before


def _runnable(program: ExportedProgram) -> Callable[[torch.Tensor], torch.Tensor]:
    """The program as a function of its one input; a batch axis that is fixed is filled up."""
    import torch

    module = program.module()
    names = program.graph_signature.user_inputs
    node = next((node for node in program.graph.nodes if node.name in names), None)
    size = node.meta["val"].shape[0] if node is not None else None
    keyword = next(iter(program.example_inputs[1]), None) if program.example_inputs else None

    def ask(inputs: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = module(**{keyword: inputs}) if keyword else module(inputs)
        return scores

    def run(inputs: torch.Tensor) -> torch.Tensor:
        if not isinstance(size, int):
            return ask(inputs)
        chunks = [_filled(chunk, size) for chunk in torch.split(inputs, size)]
        return torch.cat([ask(chunk) for chunk in chunks])[: len(inputs)]

    return run


def _filled(chunk: Any, size: int) -> Any:
    import torch

    return chunk if len(chunk) == size else torch.cat([chunk, chunk[-1:].repeat_interleave(size - len(chunk), 0)])
