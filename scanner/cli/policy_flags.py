"""The flags that say what fails, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from click import get_current_context

from ..findings import Label, Severity
from .exit_codes import RANKS, ExitCode
from .flags import PATH

if TYPE_CHECKING:
    from ..answers import Answer
    from ..policy import Judging, Policy
    from ..suppressions import Listed

__all__ = [
    "SUPPRESSIONS",
    "exit_code_of",
    "policy_flag",
    "policy_flags",
    "policy_of",
    "policy_settings",
    "suppressions_here",
    "told",
]

Command = TypeVar("Command", bound=Callable[..., Any])

SUPPRESSIONS = "onnxray.suppressions"
"""Key of click's ``Context.meta``: what the configuration and the policy file accept."""


def _read(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Take what the file accepts, and what it sets as the defaults of other flags, which still win."""
    if path is None or context.resilient_parsing:
        return path
    from ..policy_file import read_policy
    from .settings import keys_of, value_of

    policy, options = read_policy(path), keys_of(context.command)
    context.meta[SUPPRESSIONS] = (*suppressions_here(context), *policy.suppressions)
    defaults = dict(context.default_map or {})
    settings = policy_settings(policy.settings, options)
    for key, value in settings.items():
        if (option := options.get(key)) is not None and option.name:
            defaults[option.name] = value_of(context.command, option, value, f"{path}: {key}", path.parent)
    context.default_map = defaults
    return path


def policy_settings(settings: Mapping[str, object], options: Mapping[str, object]) -> Mapping[str, object]:
    """The settings for this command: what an audit fails on is a severity, as it has no verdicts."""
    if "fail-on-finding" in options:
        return settings
    return {"fail-on": settings["fail-on-finding"]} if "fail-on-finding" in settings else {}


_policy = partial(click.option, panel="What fails")
policy_flag = _policy(
    "--policy",
    type=PATH,
    metavar="FILE",
    is_eager=True,
    callback=_read,
    help="A .toml of what is accepted, each with a reason and a last day, and of the flags of this panel.",
)
_FLAGS = (
    _policy(
        "--fail-on",
        type=click.Choice(RANKS),
        metavar="VERDICT",
        default="suspicious",
        show_default=True,
        help="Exit with 1 from this verdict on: suspicious or backdoored.",
    ),
    _policy(
        "--fail-on-finding",
        type=click.Choice([s.value for s in Severity]),
        metavar="SEVERITY",
        help="Exit with 1 from this severity of a static finding on, too: note, low, medium, high or critical.",
    ),
    policy_flag,
    _policy("--exit-zero", is_flag=True, help="Exit with 0 whatever is found; errors still exit with 2."),
    _policy("--allow-inconclusive", is_flag=True, help="Exit with 0, not 2, where nothing could be decided."),
)


def policy_flags(command: Command) -> Command:
    """What fails a scan, and what is accepted."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def suppressions_here(context: click.Context) -> tuple[Listed, ...]:
    """What the configuration and the policy file of this call accept."""
    found: tuple[Listed, ...] = context.meta.get(SUPPRESSIONS, ())
    return found


def policy_of(flags: Mapping[str, Any]) -> Policy:
    """The policy of this call: the flags of ``policy_flags`` and what is accepted; to be called in a command."""
    from ..policy import Policy

    bar = flags["fail_on_finding"]
    return Policy(
        fail_on=Label(flags["fail_on"]),
        fail_on_finding=None if bar is None else Severity(bar),
        exit_zero=flags["exit_zero"],
        allow_inconclusive=flags["allow_inconclusive"],
        suppressions=suppressions_here(get_current_context()),
    )


def exit_code_of(answers: Iterable[Answer], policy: Policy) -> ExitCode:
    """The exit code of all these answers; what there is to say of the suppressions goes to standard error."""
    from ..policy import Judging

    judging = Judging(policy)
    for _ in judging.over(answers):
        pass
    return told(judging)


def told(judging: Judging) -> ExitCode:
    """The same where the answers have already passed through ``judging.over`` on their way to a document."""
    from ..policy import Judgement

    for note in judging.notes():
        click.echo(f"onnxray: {note}", err=True)
    codes = {Judgement.PASS: ExitCode.PASS, Judgement.ERROR: ExitCode.ERROR, Judgement.FOUND: ExitCode.FOUND}
    return ExitCode.NOTHING if judging.worst is None else codes[judging.worst]
