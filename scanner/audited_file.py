"""What a static rule sees: one file, read and parsed, with nothing in it believed, run or fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..converters.limits import MAX_BYTES, read_file
from ..converters.survey import Survey, survey
from .dataflow import Flow
from .errors import ModelError
from .scopes import Scope, scopes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from ..converters import Model

__all__ = ["AuditedFile"]

_LARGE = 1 << 22  # bytes; below, a thread takes longer to start than it saves


@dataclass(frozen=True, eq=False)
class AuditedFile:
    """An ONNX file as it lies on the disk; unlike ``Model`` it need be neither valid nor a classifier.

    Attributes:
        path: as given; files of external data are sought beside it.
        content: the file's bytes.
        proto: ``content`` parsed. External data is NOT in it: rules decide on its place, none reads it unasked.
        sha256: of ``content`` alone.
        survey: the same bytes read without any library, within limits; it tells what ``proto`` leaves out.
    """

    path: Path
    content: bytes
    proto: ModelProto
    sha256: str
    survey: Survey

    @classmethod
    def open(cls, path: Path, max_bytes: int = MAX_BYTES) -> AuditedFile:
        """Read and parse a file.

        Raises:
            ModelError: no such file, too large, over a limit of survey.py, visibly something else, or no ONNX message.
        """
        content = read_file(path, min(max_bytes, MAX_BYTES))
        if len(content) < _LARGE:
            found = survey(path, content)
            return cls(path, content, _parsed(path, content), hashlib.sha256(content).hexdigest(), found)
        with ThreadPoolExecutor(1) as pool:  # hashing takes as long as all else, and lets other threads run
            digest = pool.submit(hashlib.sha256, content)
            found = survey(path, content)
            return cls(path, content, _parsed(path, content), digest.result().hexdigest(), found)

    @classmethod
    def of(cls, model: Model) -> AuditedFile:
        """The file behind an open model; for one of another framework, what it was converted to."""
        if not model.facts.converted:
            return cls.open(Path(model.path))
        content = model.graph.SerializeToString()
        path = Path(model.path)
        return cls(path, content, model.graph, hashlib.sha256(content).hexdigest(), survey(path, content))

    @property
    def size(self) -> int:
        """Length of ``content`` in bytes."""
        return len(self.content)

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """Every list of nodes in the file: the graph first, then bodies, functions and their attributes' defaults."""
        return tuple(scopes(self.proto))

    @cached_property
    def flow(self) -> Flow:
        """Where the values of the inputs go.

        Raises:
            ModelError: its functions never end (see ``dataflow.steps``).
        """
        return Flow(self.proto)

    def nodes(self) -> Iterator[tuple[Scope, NodeProto]]:
        """Every node with the scope that it stands in."""
        return ((scope, node) for scope in self.scopes for node in scope.nodes)


def _parsed(path: Path, content: bytes) -> ModelProto:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    proto = ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError:
        raise ModelError(f"{path}: truncated or not ONNX; download or export it again") from None
    if not proto.HasField("graph"):
        raise ModelError(f"{path}: expected an ONNX model with a graph, got none; check that it is ONNX")
    return proto
