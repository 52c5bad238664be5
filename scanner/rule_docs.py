"""The documentation of the static rules, made from their own docstrings."""

from __future__ import annotations

from collections.abc import Iterator

from .audit import all_rules
from .rules import HEADINGS, Rule

__all__ = ["markdown", "page", "text"]

INTRODUCTION = """\
# Rules of the audit

What `onnxray audit` and every `onnxray scan` look for in the file itself, without running it. This page is what
`onnxray explain rules` prints; `onnxray explain RULE` prints one of them.

| Rule | Severity | Precision | Finds |
|---|---|---|---|
"""


def page() -> str:
    """All rules as a page of Markdown."""
    rules = all_rules()
    table = "".join(
        f"| [{name}](#{name}) | {rule.severity} | {rule.precision} | {_summary(rule)} |\n"
        for name, rule in rules.items()
    )
    return INTRODUCTION + table + "".join("\n" + part for name, rule in rules.items() for part in _section(name, rule))


def text(name: str, rule: type[Rule]) -> str:
    """One rule, for a terminal."""
    sections = rule.sections()
    parts = [f"{name}  (severity {rule.severity}, precision {rule.precision})", sections[""]]
    parts += [f"{heading}: {sections[heading]}" for heading in HEADINGS if heading in sections]
    return "\n\n".join(parts)


def markdown(rule: type[Rule]) -> str:
    """One rule as Markdown, without a heading."""
    return "\n".join(_paragraphs(rule))


def _section(name: str, rule: type[Rule]) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"Severity {rule.severity}, precision {rule.precision}.\n"
    yield from _paragraphs(rule)


def _paragraphs(rule: type[Rule]) -> Iterator[str]:
    sections = rule.sections()
    yield f"{sections['']}\n"
    for heading in HEADINGS:
        words = sections[heading]
        yield f"**{heading}.** {words[:1].upper()}{words[1:]}\n"


def _summary(rule: type[Rule]) -> str:
    return rule.sections()[""].splitlines()[0].replace("|", "\\|")
