"""Text from a model file or from a library, made fit for one line of a terminal."""

__all__ = ["one_line"]


def one_line(text: object, limit: int = 300) -> str:
    """Return the text on one line of at most `limit` characters, without control characters.

    Names inside a model file are the attacker's: a line break or an escape sequence in one must not reach a terminal.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
