"""The pictures of a report as data URIs, each once on a page however often it is shown."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from markupsafe import Markup

from ...reports._artifacts import OVER_SAMPLES, PLACE
from ...reports._triggers import EVERY
from ...reports._words import class_label

if TYPE_CHECKING:
    from ...contract import Contract, Evidence, Proof

__all__ = ["Gallery", "Picture"]

PNG = b"\x89PNG\r\n\x1a\n"
KINDS = {
    "trigger": "The recovered trigger of class {0}, over grey",
    "mask": "How strongly it covers each pixel: white hides the picture, black leaves it",
    "stamped": "Held-out pictures above, the same with the trigger below: these become class {0}",
    "heatmap": "Which pixels speak for class {0}, the mean over clean pictures",
    "strongest": "How often each pixel is among the strongest fifth for class {0}",
    "clusters": "Training samples labelled {0}: the suspicious ones in red, the others in blue",
}
MOVERS = {
    "trigger": "The recovered trigger that moves every class to another, over grey",
    "mask": KINDS["mask"],
    "stamped": "Held-out pictures above, the same with the trigger below: each class becomes another",
}
PLOT = "Training samples"  # what the words of a picture with writing begin with
LAID_OVER = " Above: some pictures and, last, the mean of all; below: the same map glowing over them."


@dataclass(frozen=True)
class Picture:
    """One picture of a page.

    Attributes:
        key: what its element is called; the same bytes have the same key.
        source: data URI where the page does not hold the bytes yet, else "".
        width, height: in pixels.
        words: what it shows: caption and text for those who do not see it.
        about: the class that it is about; -1 for none.
        plot: whether it has writing in it, which must not be made smaller.
    """

    key: str
    source: str
    width: int
    height: int
    words: str
    about: int = -1
    plot: bool = False


class Gallery:
    """Finds the pictures that artifacts name; ``seen`` is shared by all models of a page."""

    def __init__(self, files: Mapping[str, bytes], seen: set[str]) -> None:
        self._files = files
        self._seen = seen

    def of(self, report: Contract, evidence: Evidence, *kinds: str) -> list[Picture]:
        """Pictures of these kinds among one method's artifacts, class by class.

        A map is left out where it is also laid over samples.
        """
        names = evidence.artifacts
        wanted = [name for name in names if _kind(name) in kinds and f"{name}{OVER_SAMPLES}" not in names]
        wanted.sort(key=lambda name: (_class(name), kinds.index(_kind(name)), name))
        return list(self._found((names[name], _words(report, name), _class(name)) for name in wanted))

    def of_gate(self, proof: Proof) -> list[Picture]:
        """The picture before and after of a gate's witness."""
        told = {
            "before": "A picture on which the gate is silent",
            "witness": "The same, changed so that the gate fires",
        }
        files = ((proof.artifacts[name], words, -1) for name, words in told.items() if name in proof.artifacts)
        return list(self._found(files))

    def text(self, file: str) -> str:
        """A file that is text; "" where it is missing."""
        return self._files.get(file, b"").decode("utf-8", "replace")

    def _found(self, named: Iterator[tuple[str, str, int]]) -> Iterator[Picture]:
        for file, words, about in named:
            content = self._files.get(file, b"")
            if content.startswith(PNG) and len(content) > 24:
                yield self._picture(content, words, about)

    def _picture(self, content: bytes, words: str, about: int) -> Picture:
        key = f"p{sha256(content).hexdigest()[:20]}"
        source = "" if key in self._seen else f"data:image/png;base64,{b64encode(content).decode()}"
        self._seen.add(key)
        width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
        return Picture(key, Markup(source), width, height, words, about, words.startswith(PLOT))


def _kind(name: str) -> str:
    return name.removesuffix(EVERY).partition("-class")[0]


def _class(name: str) -> int:
    number = name.removesuffix(OVER_SAMPLES).rpartition("-class")[2].partition(PLACE)[0]
    return int(number) if number.isdecimal() else -1


def _words(report: Contract, name: str) -> str:
    if name.endswith(EVERY):
        return f"{MOVERS[_kind(name)]}."
    words = KINDS[_kind(name)].format(class_label(report, _class(name)))
    if place := name.partition(PLACE)[2]:
        words = f"{words} (trigger {place} of several, each of which works by itself)"
    return f"{words}.{LAID_OVER}" if name.endswith(OVER_SAMPLES) else words
