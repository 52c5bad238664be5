"""What is accepted, for how long and for which bytes, and what is left to fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from onnxray.scanner.answers import Answer, State
from onnxray.scanner.errors import OptionError
from onnxray.scanner.findings import Finding, Label, Report, Severity, Verdict
from onnxray.scanner.policy import Judgement, Judging, Policy, judge
from onnxray.scanner.policy_file import listed, read_policy
from onnxray.scanner.reports import written
from onnxray.scanner.suppressions import Accepting, Listed, accept, accepted

TODAY = date(2026, 6, 1)
SHA = "ab12" * 16


def answer_of(report: Report, name: str = "vendor/a.onnx", **changes: object) -> Answer:
    known: dict[str, object] = {"names": (name,), "report": written(report)[0], "sha256": SHA}
    return Answer(**known | changes)  # type: ignore[arg-type]


def suppression(code: str, model: str, expires: date | None = date(2026, 12, 31)) -> Listed:
    return Listed(code, model, "looked at in review 12", expires, f"policy.toml, {code}")


def judged(answer: Answer, *suppressions: Listed, **policy: object) -> Judgement:
    whole = Policy(suppressions=suppressions, **policy)  # type: ignore[arg-type]
    return judge(accept(answer, suppressions, TODAY), whole)


@pytest.fixture
def gated(clean: Report) -> Report:
    """Suspicious for a finding alone."""
    reasons = (("static-finding", "The file itself gives away what may be a backdoor."), ("no-witness", "None found."))
    finding = Finding("value-gate", Severity.HIGH, "node", "chooses the scores", ())
    return replace(clean, verdict=Verdict(Label.SUSPICIOUS, 0.6, (), reasons), findings=(finding,))


def test_a_conviction_is_accepted_by_its_bytes_only(backdoored: Report) -> None:
    answer = answer_of(backdoored)
    assert judged(answer) is Judgement.FOUND
    assert judged(answer, suppression("*", SHA)) is Judgement.PASS
    assert judged(answer, suppression("*", SHA[:16].upper())) is Judgement.PASS
    assert judged(answer, suppression("*", SHA[:15])) is Judgement.FOUND  # another file can be made for so few digits
    by_name = [suppression(code, "vendor/a.onnx") for code in ("verified-trigger", "small-trigger")]
    assert judged(answer, *by_name) is Judgement.FOUND


def test_all_reasons_must_be_accepted(backdoored: Report) -> None:
    one, two = suppression("verified-trigger", SHA), suppression("small-trigger", SHA)
    assert judged(answer_of(backdoored), one) is Judgement.FOUND
    marked = accept(answer_of(backdoored), [one, two], TODAY)
    assert marked.suppressed == {"verified-trigger": one, "small-trigger": two}
    assert accepted(marked)


def test_who_accepts_the_findings_accepts_the_reason_that_tells_of_them(gated: Report) -> None:
    assert judged(answer_of(gated), suppression("value-gate", "vendor/*")) is Judgement.PASS
    assert judged(answer_of(gated), suppression("soft-gate", "vendor/*")) is Judgement.FOUND
    assert judged(answer_of(gated), suppression("value-gate", "other/*")) is Judgement.FOUND


def test_a_pattern_must_fit_all_names(gated: Report) -> None:
    answer = answer_of(gated, names=("vendor/a.onnx", "downloads/b.onnx"))
    assert judged(answer, suppression("value-gate", "vendor/*")) is Judgement.FOUND
    assert judged(answer, suppression("value-gate", "*")) is Judgement.PASS


def test_the_last_day_counts_and_the_next_does_not(gated: Report) -> None:
    assert judged(answer_of(gated), suppression("value-gate", "*", TODAY)) is Judgement.PASS
    assert judged(answer_of(gated), suppression("value-gate", "*", date(2026, 5, 31))) is Judgement.FOUND


def test_findings_count_where_they_are_asked_for(clean: Report) -> None:
    note = Finding("unclaimed-bytes", Severity.MEDIUM, "file", "12 bytes", ())
    answer = answer_of(replace(clean, findings=(note,)))
    assert judged(answer) is Judgement.PASS
    assert judged(answer, fail_on_finding=Severity.HIGH) is Judgement.PASS
    assert judged(answer, fail_on_finding=Severity.MEDIUM) is Judgement.FOUND
    assert judged(answer, suppression("unclaimed-bytes", "*"), fail_on_finding=Severity.LOW) is Judgement.PASS


def test_what_was_not_checked_never_passes_by_itself(inconclusive: Report) -> None:
    assert judged(answer_of(inconclusive)) is Judgement.ERROR
    assert judged(answer_of(inconclusive), exit_zero=True) is Judgement.ERROR
    assert judged(answer_of(inconclusive), allow_inconclusive=True) is Judgement.PASS
    for state, code in ((State.FAILED, "error"), (State.UNSCANNED, "not-downloaded"), (State.WAITING, "")):
        answer = Answer(("zoo/x.onnx",), state, why="a pointer", code=code)
        assert judged(answer, allow_inconclusive=True, exit_zero=True) is Judgement.ERROR
    pointer = Answer(("zoo/x.onnx",), State.UNSCANNED, code="not-downloaded")
    assert judged(pointer, suppression("not-downloaded", "zoo/*")) is Judgement.PASS


def test_judging_keeps_the_worst_and_tells_of_the_suppressions(backdoored: Report, clean: Report) -> None:
    policy = Policy(
        suppressions=(
            suppression("verified-trigger", SHA, None),
            suppression("small-trigger", SHA, date(2030, 1, 1)),
            suppression("*", SHA[:20], date(2026, 1, 1)),
            suppression("verified-triger", SHA),
        )
    )
    judging = Judging(policy, TODAY)
    labels = [answer.label for answer in judging.over([answer_of(clean, sha256="0" * 64), answer_of(backdoored)])]
    assert labels == ["clean", "backdoored"]
    assert judging.worst is Judgement.PASS
    told = "\n".join(judging.notes())
    for words in ("has no end", "2030-01-01, which is more than a year away", "expired on 2026-01-01"):
        assert words in told
    assert 'did you mean "verified-trigger"' in told


def test_found_beats_error(backdoored: Report, inconclusive: Report) -> None:
    judging = Judging(Policy(), TODAY)
    list(judging.over([answer_of(backdoored), answer_of(inconclusive)]))
    assert judging.worst is Judgement.FOUND


def test_the_audit_accepts_rules_of_a_file() -> None:
    accepting = Accepting([suppression("value-gate", "a/*"), suppression("soft-gate", SHA)], TODAY)
    assert set(accepting.of("a/m.onnx", "0" * 64, ["value-gate", "soft-gate"])) == {"value-gate"}
    assert len(accepting.notes()) == 1  # the second accepts nothing
    assert set(accepting.of("b/m.onnx", SHA, ["value-gate", "soft-gate"])) == {"soft-gate"}
    assert accepting.notes() == []


GOOD = {"code": "value-gate", "model": "vendor/*", "reason": "looked at", "expires": "2027-01-31"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reason": ""}, "reason: expected some words, got nothing"),
        ({"model": None}, "model: expected some words"),
        ({"expires": "soon"}, "expires: expected a day such as 2027-06-30, got soon"),
        ({"code": "*", "model": "*"}, "a name can stand for any bytes"),
        ({"code": "*", "model": "vendor/a.onnx"}, "a name can stand for any bytes"),
        ({"resaon": "x"}, 'did you mean "reason"'),
    ],
)
def test_a_suppression_that_is_none_is_one_line(change: dict[str, object], words: str) -> None:
    table = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(OptionError, match=r"policy\.toml, suppression 1: ") as caught:
        listed([table], "policy.toml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_policy_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('fail-on = "backdoored"\n[[suppress]]\ncode="a"\nmodel="b"\nreason="c"\nexpires=2027-01-31\n')
    policy = read_policy(file)
    assert policy.settings == {"fail-on": "backdoored"}
    assert policy.suppressions == (Listed("a", "b", "c", date(2027, 1, 31), f"{file}, suppression 1"),)
    file.write_text("fail_on = 1\n")
    with pytest.raises(OptionError, match='did you mean "fail-on"'):
        read_policy(file)
