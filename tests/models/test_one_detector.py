"""The table of what one detector said of models whose truth is known."""

from dataclasses import replace

import numpy as np
from onnxray.models.bench.record import Subject
from onnxray.models.one_detector import Asked, table
from onnxray.scanner.findings import Evidence

CLEAN = Subject(name="c", sha256="", part="fit", dataset="mnist", network="mlp")
BADNETS = replace(CLEAN, name="b", attack="badnets", trojaned=True, targets=(2,))


def said(subject: Subject, score: float, flagged: tuple[int, ...] = (), strongest: int = 2) -> Asked:
    strength = np.eye(4)[strongest] * score
    return Asked(subject, Evidence("m", (0.0,) * 4, "s", flagged, score, seconds=2.0), strength)


def test_rows() -> None:
    source_specific = replace(BADNETS, attack="source-specific")
    rows = list(table([
        said(CLEAN, 0.1), said(CLEAN, 0.5, (1,)), said(BADNETS, 0.9, (2,)), said(BADNETS, 0.3, (3,), strongest=3),
        said(source_specific, 0.2),
    ]))  # fmt: skip
    text = "\n".join(rows)
    assert "| clean | 2 | - | - | 1 | - |" in text
    (one,) = [row for row in rows if row.startswith("| one target")]
    assert one.startswith("| one target, all others | 2 | 0.75 [")
    assert one.endswith("| 1 | 2 | 1 |")
    assert "| source-specific | 1 | 0.50 [" in text
    assert "| all trojaned | 3 |" in text
    assert "0 models of which it tells nothing; 2.0 seconds" in text


def test_what_told_nothing_is_counted_apart() -> None:
    silent = replace(said(BADNETS, 0.0), strength=np.full(4, np.nan))
    text = "\n".join(table([said(CLEAN, 0.1), said(BADNETS, 0.9), silent]))
    assert "| all trojaned | 1 |" in text
    assert "1 models of which it tells nothing" in text
