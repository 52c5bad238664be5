"""``onnxray completion``: what a shell needs to complete commands, flags, methods and files."""

from __future__ import annotations

import rich_click as click
from click.shell_completion import ShellComplete, get_completion_class

from ..errors import OptionError

__all__ = ["completion"]

INSTALL = {
    "bash": """onnxray completion bash > "${XDG_DATA_HOME:-$HOME/.local/share}/bash-completion/completions/onnxray" """,
    "zsh": "onnxray completion zsh > ~/.zfunc/_onnxray, with fpath+=~/.zfunc before compinit in ~/.zshrc",
    "fish": "onnxray completion fish > ~/.config/fish/completions/onnxray.fish",
}
NOW = {
    "bash": 'eval "$(onnxray completion bash)"',
    "zsh": 'eval "$(onnxray completion zsh)"',
    "fish": "onnxray completion fish | source",
}


@click.command()
@click.argument("shell", type=click.Choice(list(INSTALL)))
@click.pass_context
def completion(context: click.RichContext, /, shell: str) -> None:
    """Print the script that makes a shell complete onnxray's commands, flags, methods, rules and files.

    Use it once, when onnxray is installed: the script asks onnxray itself, so it need not be made again for a new
    version. Its first lines say where it goes. bash must be 4.4 or newer.

    \b
    Examples:
      onnxray completion bash > ~/.local/share/bash-completion/completions/onnxray
      onnxray completion zsh > ~/.zfunc/_onnxray
      onnxray completion fish > ~/.config/fish/completions/onnxray.fish

    \b
    Exit codes:
      0    printed
      4    wrong usage

    \b
    See also:
      onnxray explain    the methods and rules whose ids are completed
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise OptionError(f"the installed click cannot complete in {shell}")
    root = context.find_root().command
    # Not kind.source(), which starts a bash to ask for its version.
    script = ShellComplete.source(kind(root, {}, "onnxray", "_ONNXRAY_COMPLETE"))
    head = "" if shell != "zsh" else "#compdef onnxray\n"
    lines = [
        f"# Completion of onnxray for {shell}.",
        f"# For good: {INSTALL[shell].strip()}",
        f"# For now:  {NOW[shell]}",
    ]
    click.echo(head + "\n".join(lines) + "\n" + script.removeprefix(head).strip())
