"""What the verdict means for somebody about to deploy, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...converters.messages import one_line
from ..findings import Label, Rate, Report

if TYPE_CHECKING:
    from ..contract import Contract

    Told = Report | Contract
    """A report as the scan made it, or as it was kept: the words are the same."""

__all__ = ["SYMBOLS", "class_label", "class_list", "class_name", "file_size", "meaning", "percent", "rate_words"]

SYMBOLS = {Label.BACKDOORED: "✖", Label.SUSPICIOUS: "▲", Label.INCONCLUSIVE: "?", Label.CLEAN: "✔"}

MANY = 4  # classes named in one sentence


def meaning(report: Told) -> str:
    """One or two plain sentences for each of the four answers."""
    match report.verdict.label:
        case Label.BACKDOORED:
            return f"Do not deploy this model: {_backdoor(report)}."
        case Label.SUSPICIOUS:
            return f"Do not deploy this model before somebody has looked into it: {_suspicion(report)}."
        case Label.CLEAN:
            return "The checks below found no backdoor. That is evidence, not proof, that there is none."
        case Label.INCONCLUSIVE:
            return "This model could not be judged, for the reasons below. Treat it as unchecked, not as clean."


def _backdoor(report: Told) -> str:
    targets = report.verdict.targets
    if not targets:
        return "it has a backdoor"
    codes = {reason if isinstance(reason, str) else reason[0] for reason in report.verdict.reasons}
    if "poisoned-samples" in codes and "verified-trigger" not in codes:
        return f"training samples with a hidden trigger taught it to answer {class_list(report, targets)}"
    if "witness" in codes and "verified-trigger" not in codes:
        return f"a gate in its graph makes it answer {class_list(report, targets)} where a few pixels ask for it"
    if "shifting-trigger" in codes and "verified-trigger" not in codes:
        return "a small hidden trigger makes it answer another class for every class"
    return f"a small hidden trigger makes it answer {class_list(report, targets)} whatever the picture shows"


def _suspicion(report: Told) -> str:
    targets = report.verdict.targets
    towards = f" towards {class_list(report, targets)}" if targets else ""
    return f"something in it looks like a backdoor{towards}, but it is not proven"


def class_list(report: Told, classes: Sequence[int]) -> str:
    """ "class 7 (Sneaker)", "classes 1, 2 and 3": the first few by name."""
    labels = [class_label(report, c) for c in classes[:MANY]]
    if len(classes) > MANY:
        labels.append(f"{len(classes) - MANY} more")
    return f"class {labels[0]}" if len(labels) == 1 else f"classes {', '.join(labels[:-1])} and {labels[-1]}"


def class_label(report: Told, index: int) -> str:
    """ "7 (Sneaker)", or "7" where the class has no name of its own."""
    name = class_name(report, index)
    return f"{index} ({name})" if name else str(index)


def class_name(report: Told, index: int) -> str:
    """The class's name; empty if unknown or only its number again."""
    names = report.class_names if isinstance(report, Report) else report.model.class_names
    name = one_line(names[index], 40) if index < len(names) else ""
    return "" if name == str(index) else name


def percent(share: float) -> str:
    """A share as a percentage that never rounds to 0 or 100 what is not."""
    value = 100 * share
    if 0 < value < 0.1:
        return "< 0.1%"
    return "> 99.9%" if 99.9 < value < 100 else f"{value:.1f}%"


def rate_words(rate: Rate) -> str:
    """ "98.5% (197 of 200)"."""
    return f"{percent(rate.value)} ({rate.hits} of {rate.trials})"


def file_size(size: int) -> str:
    """Bytes as "1.2 MB" or "231 kB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
