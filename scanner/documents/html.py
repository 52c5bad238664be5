"""One page for a browser: an overview of all models and a section for each, in one file that asks for nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import Document

if TYPE_CHECKING:
    from ..answers import Answer


@dataclass(frozen=True, kw_only=True)
class Html(Document):
    """A self-contained page that works from a file, without scripts and on paper.

    The overview stands first and needs one row of each model only; the sections wait in a temporary file until all
    answers were read, so memory holds one model at a time and a small row of each.

    Attributes:
        title: heading of the page.
    """

    title: str = "onnxray report"

    def render(self, answers: Iterable[Answer]) -> Iterator[str]:
        """See ``Document.render``; raises OnnxrayError where the temporary file cannot be written."""
        from ._html.page import page  # jinja2 loads only when a page is written

        yield from page(answers, self.title)
