"""How the answers about one or many models leave the tool as one document: one kind a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..answers import Answer

__all__ = ["Document"]


class Document(ABC):
    """The contract of a document: a frozen dataclass whose fields are its options."""

    @abstractmethod
    def render(self, answers: Iterable[Answer]) -> Iterator[str]:
        """The document as pieces of text that only have to be joined.

        ``answers`` is read once, in order, and may be far larger than memory: a document keeps of each answer only
        what it needs at its end.
        """
