"""The page as pieces of text: head, overview, sections, foot."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ....converters.messages import one_line
from ...contract import LIMITS
from ...errors import OnnxrayError
from ...repair_report import CLOSES
from ...reports._sections import ANY_MODEL
from ...version import __version__
from .gallery import Gallery
from .rows import LABELS, Row, row_of, worry
from .sections import section_of

if TYPE_CHECKING:
    from ...answers import Answer

__all__ = ["environment", "page"]

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 1000  # characters of one text from a file that a page shows
IN_MEMORY = 8 << 20  # bytes of sections before they move to a file
CHUNK = 1 << 16


def page(answers: Iterable[Answer], title: str) -> Iterator[str]:
    """The whole page; nothing is yielded before all answers were read.

    Raises:
        OnnxrayError: there is no room for the temporary file.
    """
    templates = environment()
    with SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="") as spool:
        try:
            rows = list(_rows(templates, answers, spool))
            spool.seek(0)
        except OSError as error:
            raise OnnxrayError(f"the page's temporary file: {error.strerror}; free some space or set TMPDIR") from None
        counts, grouped = Counter(row.label for row in rows), any(row.group for row in rows)
        yield _shown(
            templates, "head.html", title=title, counts=_ordered(counts), total=len(rows), grouped=grouped, **_assets()
        )
        for row in sorted(rows, key=worry):
            yield _shown(templates, "row.html", row=row, grouped=grouped)
        yield _shown(templates, "middle.html", total=len(rows))
        yield from iter(lambda: spool.read(CHUNK), "")
        yield _shown(templates, "foot.html", limits=LIMITS, version=__version__, script=_assets()["script"])


@cache
def environment() -> Environment:
    """The templates: every text is escaped, on one line and without control or direction characters."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(closes=CLOSES, any_model=ANY_MODEL)
    return templates


def _numbered(answers: Iterable[Answer]) -> Iterator[tuple[int, Answer, bool]]:
    """Each answer with its number from 1, and whether it is the only one."""
    rest = iter(answers)
    first = list(islice(rest, 2))
    for number, answer in enumerate(chain(first, rest), 1):
        yield number, answer, len(first) == 1


def _rows(templates: Environment, answers: Iterable[Answer], spool: Any) -> Iterator[Row]:
    """Write each model's section to the spool; what is kept of it is its row."""
    pictures = set[str]()
    for number, answer, alone in _numbered(answers):
        section = section_of(answer, number, Gallery(answer.files, pictures), alone)
        spool.write(_shown(templates, "section.html", s=section))
        yield row_of(answer, number)


def _shown(templates: Environment, name: str, **values: Any) -> str:
    return templates.get_template(name).render(**values)


def _plain(value: object) -> object:
    """What a template shows of a value; markup of our own stays as it is."""
    return one_line(value, LONGEST) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _ordered(counts: Counter[str]) -> list[tuple[str, int]]:
    return [(label, counts[label]) for label in LABELS if counts[label]]


def _assets() -> dict[str, Any]:
    """Style and script, and the policy that lets nothing else run and nothing be fetched."""
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
    return {"style": Markup(style), "script": Markup(script), "policy": policy + "base-uri 'none'; form-action 'none'"}


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
