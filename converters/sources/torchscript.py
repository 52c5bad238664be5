"""TorchScript, ``torch.jit.save``."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import ModelError
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, Refused
from ._archive import members, packed
from ._pickles import entries

# All operators of torch 2.13 that touch files or other machines, and the way round a search for their names.
_FORBIDDEN = re.compile(r"\b(save|from_file|rpc_async|rpc_sync|rpc_remote|getattr)\b")
_NAMESPACE = re.compile(r"\bops\s*\.\s*(?!(?:prims?|aten|_?quantized|quantization|torchvision)\b)(\w+)")


class TorchScript(Framework):
    """TorchScript modules.

    Their loader unpickles plain data only, and their code is a language of its own without Python. But it is code: it
    knows operators that read and write files (``torch.save``, ``torch.from_file``), which run with the model or even
    while it is loaded. Modules that name one of them, or a namespace of operators that is not torch's, are refused.
    """

    name = "TorchScript module"
    suffixes = (".pt", ".pth", ".ts", ".torchscript")

    def recognises(self, path: Path) -> bool:
        """By the archive's entries."""
        names = entries(path)
        return "constants.pkl" in names and any(name.startswith("code/") for name in names)

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Check the code, load it, and export it by way of TorchScript."""
        contents = {name: text for name, text in members(path).items() if not name.endswith(".debug_pkl")}
        _require_harmless(path, contents)
        import torch

        from ._torch import example_of, scripted

        example = example_of(options, str(path))
        try:
            module = torch.jit.load(packed(contents), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: torch {torch.__version__} cannot load it: {one_line(error, 160)}") from None
        return scripted(module, example, str(path))


def _require_harmless(path: Path, contents: dict[str, bytes]) -> None:
    for name in sorted(name for name in contents if name.startswith("code/")):
        text = contents[name].decode("utf-8", "replace")
        found = _FORBIDDEN.search(text) or _NAMESPACE.search(text)
        if found:
            raise Refused(
                f"{path}: refused: its TorchScript code uses {found[0]!r} ({one_line(name, 80)}), which can read or "
                "write files or leave torch; if you trust it, save the model with torch.export.save instead"
            )
