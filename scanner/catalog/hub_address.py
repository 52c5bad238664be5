"""Addresses of Hugging Face's hub: ``hf://ORG/REPOSITORY[@REVISION][/PATH]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from ..errors import OnnxrayError
from .members import unsafe_name
from .naming import printable

__all__ = ["Address", "address", "is_address"]

_FORM = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([^/]+))?(?:/(.*))?")


@dataclass(frozen=True)
class Address:
    """A repository of models, or a folder or file in it.

    Attributes:
        repository: "ORG/NAME".
        revision: a branch, a tag or a commit; "main" if none is given.
        path: in the repository; "" for all of it.
        shown: the repository as it was written, without the path.
    """

    repository: str
    revision: str
    path: str
    shown: str

    def holds(self, file: str) -> bool:
        """Whether a file of the repository is meant."""
        return not self.path or file == self.path or file.startswith(f"{self.path}/")


def is_address(text: str) -> bool:
    """Whether this is meant as an address of the hub."""
    return text.startswith("hf://")


def address(text: str) -> Address:
    """Read an address; a slash in a revision is written %2F.

    Raises:
        OnnxrayError: it has another form.
    """
    form = _FORM.fullmatch(text)
    repository, revision, path = form.groups() if form else ("", "", "")
    revision, path = unquote(revision or "main"), (path or "").rstrip("/")
    if not form or ".." in repository or unsafe_name(revision) or (path and unsafe_name(path)):
        raise OnnxrayError(f"{printable(text)}: expected hf://ORG/REPOSITORY, then @REVISION and /PATH if wanted")
    return Address(repository, revision, path, text[: form.end(2) if form[2] else form.end(1)])
