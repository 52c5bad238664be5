"""What the command line says about failing reaches the documents that say it, too."""

from __future__ import annotations

import pytest
from onnxray.scanner.answers import Answer, State
from onnxray.scanner.cli.documents import print_document
from onnxray.scanner.findings import Label
from onnxray.scanner.policy import Judgement, Policy, judge

LOST = Answer(("lost.onnx",), State.FAILED, why="gone", code="error")


@pytest.mark.parametrize("form", ["csv", "cyclonedx", "jsonl", "junit", "sarif"])
def test_every_document_takes_a_policy(form: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_document(form, [LOST], Policy(fail_on=Label.BACKDOORED))
    assert b"lost.onnx" in capfdbinary.readouterr().out


def test_junit_fails_where_the_policy_does(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    seen: list[Policy] = []

    def watched(answer: Answer, policy: Policy) -> Judgement:
        seen.append(policy)
        return judge(answer, policy)

    monkeypatch.setattr("onnxray.scanner.documents.junit.judge", watched)
    print_document("junit", [LOST], Policy(fail_on=Label.BACKDOORED, allow_inconclusive=True))
    assert [(policy.fail_on, policy.allow_inconclusive) for policy in seen] == [(Label.BACKDOORED, True)]
    assert capfdbinary.readouterr().out
