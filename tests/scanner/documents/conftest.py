"""Hand-made answers: one for each state that a model of a catalog can be in, and some with hostile names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from onnxray.scanner.answers import Answer, State, Suppression
from onnxray.scanner.findings import Finding, Label, Report, Severity, Verdict
from onnxray.scanner.reports import written
from onnxray.scanner.witness import Proof, Witness

Make = Callable[..., Answer]

HOSTILE = (
    "\x1b[31mred\x07\x00.onnx",
    "\u202egnp.exe\u2066.onnx",
    "=HYPERLINK(\"http://example.invalid\";\"x\")",
    "+1\t2", "-1", "@SUM(A1)", "\t=1", "\r=1", "'\"<&>]]>--><script>alert(1)</script>",
    "a b#c?d%41/ä\u2028ö.onnx",
    "../../etc/passwd", "/absolute/m.onnx", "C:\\models\\m.onnx", "zoo.zip!nets/a.onnx",
    "hf://org/repo@0123abcd/onnx/model.onnx", "javascript:alert(1)", "\udcff.onnx", "\ufffe\uffff", "x" * 5000,
)  # fmt: skip
"""Names that a catalog may hand over, each made to break or to mislead a reader of some kind of document."""


def gated_report(base: Report) -> Report:
    """A report of a graph backdoor: two findings, one of them proven by a witness."""
    picture = np.zeros((1, 28, 28), np.float32)
    after = picture.copy()
    after[0, 0, :2] = 1.0
    where = "node 'Where answer' <&> \x1b[31m"
    path = ("input 'image'", "Slice corner", "Greater lit", "Where answer", "output 'logits'")
    witness = Witness(picture, after, after, class_before=3, class_after=7, class_held=3, pixels=2, turned=19, tried=20)
    return replace(
        base,
        model=replace(base.model, sha256="cd34" * 16),
        verdict=Verdict(
            Label.BACKDOORED,
            1.0,
            (7,),
            (("witness", f"value-gate at {where}: two pixels turn class 3 into 7."), ("static-finding", "See there.")),
        ),
        findings=(
            Finding("value-gate", Severity.HIGH, where, "Greater chooses the scores in Where.", path),
            Finding("unclaimed-bytes", Severity.LOW, "file", "12 bytes after the model belong to nothing."),
        ),
        proofs=(Proof("value-gate", where, True, 100, 50, True, {}, witness),),
    )


def suspicious_report(base: Report) -> Report:
    """A report that falls short of a conviction."""
    reasons = (("calibrated-score", "All of class 6 gives a score of 0.61."), ("not-proven", "It falls short."))
    return replace(
        base,
        model=replace(base.model, sha256="ef56" * 16),
        verdict=Verdict(Label.SUSPICIOUS, 0.61, (6,), reasons),
    )


def answer_of(report: Report, **changes: Any) -> Answer:
    """An answer that is done, as the store gives it."""
    contract, files = written(report)
    known: dict[str, Any] = {
        "names": (contract.model.path,),
        "report": contract,
        "files": files,
        "sha256": contract.model.sha256,
        "size_bytes": contract.model.bytes,
        "seconds": 24.0,
        "tries": 1,
        "ended": "2026-03-04T05:06:07Z",
        "worker": "host:17",
    }
    return Answer(**known | changes)


@pytest.fixture(scope="session")
def answer() -> Make:
    """``answer_of``."""
    return answer_of


@pytest.fixture(scope="session")
def gated(clean: Report) -> Report:
    """See ``gated_report``."""
    return gated_report(clean)


@pytest.fixture(scope="session")
def suspicious(clean: Report) -> Report:
    """See ``suspicious_report``."""
    return suspicious_report(clean)


@pytest.fixture(scope="session")
def hostile() -> tuple[str, ...]:
    """See ``HOSTILE``."""
    return HOSTILE


@pytest.fixture(scope="session")
def every_state(
    backdoored: Report, clean: Report, inconclusive: Report, gated: Report, suspicious: Report
) -> tuple[Answer, ...]:
    """All four labels, all three states without a report, a group of variants, copies and a suppression."""
    accepted = Suppression("value-gate", "vendor/*", "Looked at in review 12: a range check.", date(2099, 1, 2))
    fine = replace(clean, model=replace(clean.model, sha256="0a1b" * 16))
    blind = replace(inconclusive, model=replace(inconclusive.model, sha256="2c3d" * 16))
    return (
        answer_of(backdoored, names=("shop/fashion.onnx", "copy/of it.onnx"), origin={"revision": "0123abcd"}),
        answer_of(fine, names=("shop/fashion_fp16.onnx",), group="shop", ended="2026-03-04T05:09:00Z"),
        answer_of(gated, names=("vendor/gate.onnx",), group="vendor", suppressed={"value-gate": accepted}),
        answer_of(suspicious, names=("vendor/odd.onnx",), group="vendor"),
        answer_of(blind, names=("zoo.zip!nets/blind.onnx",)),
        Answer(
            ("broken.onnx",), State.FAILED, why="broken.onnx: it ends in the middle of a tensor", code="error",
            sha256="4e5f" * 16, size_bytes=77, seconds=0.2, tries=3, ended="2026-03-04T05:10:00Z", worker="host:18",
        ),
        Answer(("pointer.onnx",), State.UNSCANNED, why="a Git LFS pointer; fetch the file", code="not-downloaded"),
        Answer(("later.onnx",), State.WAITING, sha256="6071" * 16, size_bytes=12),
    )  # fmt: skip
