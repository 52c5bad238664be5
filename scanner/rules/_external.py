"""The external data that a file's tensors point to, read from the file's bytes; no data is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...converters.external_data import confined
from ...converters.messages import one_line

if TYPE_CHECKING:
    from ...converters.wire_message import Message
    from ..audited_file import AuditedFile

__all__ = ["Pointer", "pointers"]


@dataclass(frozen=True)
class Pointer:
    """One tensor's external data, as the file gives it."""

    tensor: Message
    model: Path
    entries: dict[str, str]

    @property
    def name(self) -> str:
        """The tensor in words."""
        return f"tensor {one_line(self.tensor.text('name'), 80)!r}"

    @property
    def location(self) -> str:
        """As given, relative to the model's folder."""
        return self.entries.get("location", "")

    def file(self) -> Path:
        """The file itself, links resolved.

        Raises:
            DataMissing: it is not there.
            ModelError: it is outside the model's folder.
        """
        return confined(self.model, self.location, f"{self.name} keeps its data in {one_line(self.location, 80)!r}")

    def span(self, size: int) -> tuple[int, int] | None:
        """First byte and the one behind the last in a file of this size; None if they are no numbers or not in it."""
        try:
            start = int(self.entries.get("offset") or 0)
            end = start + int(self.entries.get("length") or size - start)
        except ValueError:
            return None
        return (start, end) if 0 <= start <= end <= size else None


def pointers(file: AuditedFile) -> Iterator[Pointer]:
    """Of every tensor, wherever it stands: bodies, functions, sparse ones and attributes' defaults."""
    for tensor in file.survey.tensors:
        if tensor.small_integer("data_location") == 1:
            entries = {m.text("key"): m.text("value") for m in tensor.messages("external_data")}
            yield Pointer(tensor, file.path, entries)
