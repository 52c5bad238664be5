"""SARIF follows the standard's own schema and what GitHub asks beyond it, for any answers."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urljoin, urlparse

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, FormatChecker
from onnxray.scanner import __file__ as scanner_file
from onnxray.scanner.answers import Answer, State, Suppression
from onnxray.scanner.audit import all_rules
from onnxray.scanner.documents._places import uri_of
from onnxray.scanner.documents._reasons import REASONS
from onnxray.scanner.documents.sarif import Sarif
from onnxray.scanner.findings import Finding, Report, Severity, Skipped, Verdict

SCHEMA = json.loads((Path(__file__).parents[2] / "data" / "sarif-schema-2.1.0.json").read_text())
VALIDATOR = Draft4Validator(SCHEMA, format_checker=FormatChecker())
MODEL = "ab12" * 16

Make = Callable[..., Answer]


def document(answers: Any, **options: Any) -> Any:
    found = json.loads("".join(Sarif(**options).render(iter(answers))))
    VALIDATOR.validate(found)
    return found


def run(answers: Any, **options: Any) -> Any:
    (found,) = document(answers, **options)["runs"]
    return found


def of(found: Any, model: str) -> list[Any]:
    return [r for r in found["results"] if r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == model]


def test_the_schema_refuses_what_is_wrong(every_state: tuple[Answer, ...]) -> None:
    Draft4Validator.check_schema(SCHEMA)
    wrong = document(every_state)
    wrong["runs"][0]["results"][0]["level"] = "bad"
    assert not VALIDATOR.is_valid(wrong)


def test_a_backdoored_model_is_an_error_with_what_was_measured(every_state: tuple[Answer, ...]) -> None:
    found = run(every_state)
    (result,) = of(found, "shop/fashion.onnx")
    assert (result["ruleId"], result["kind"], result["level"]) == ("verified-trigger", "fail", "error")
    assert result["rank"] == 97
    assert "class 7 (Sneaker)" in result["message"]["text"]
    assert result["properties"]["targets"] == [{"class": 7, "name": "Sneaker"}]
    assert result["properties"]["evidence"][0]["artifacts"]["trigger-class7"] == "trigger-class7.png"
    assert result["properties"]["evaluation"]["attack_success_rate"]["7"] == pytest.approx(88 / 91)
    assert result["properties"]["names"] == ["shop/fashion.onnx", "copy/of it.onnx"]


@pytest.mark.parametrize(
    ("model", "rule", "kind", "level"),
    [
        ("vendor/odd.onnx", "calibrated-score", "fail", "warning"),
        ("zoo.zip!nets/blind.onnx", "check-failed", "open", "none"),
        ("broken.onnx", "not-scanned", "open", "none"),
        ("pointer.onnx", "not-scanned", "open", "none"),
        ("later.onnx", "not-scanned", "open", "none"),
    ],
)
def test_what_was_not_convicted(
    every_state: tuple[Answer, ...], model: str, rule: str, kind: str, level: str
) -> None:  # fmt: skip
    (result,) = of(run(every_state), model)
    assert (result["ruleId"], result["kind"], result["level"]) == (rule, kind, level)


def test_a_clean_model_is_no_result_unless_asked_for(every_state: tuple[Answer, ...]) -> None:
    assert not of(run(every_state), "shop/fashion_fp16.onnx")
    (result,) = of(run(every_state, passes=True), "shop/fashion_fp16.onnx")
    assert (result["ruleId"], result["kind"], result["level"]) == ("no-outlier", "pass", "none")


def test_a_gate_has_its_place_its_path_and_its_proof(every_state: tuple[Answer, ...]) -> None:
    found = run(every_state)
    gate, bytes_, verdict = of(found, "vendor/gate.onnx")
    assert (gate["ruleId"], gate["level"]) == ("value-gate", "error")
    (place,) = gate["locations"][0]["logicalLocations"]
    assert place["fullyQualifiedName"] == "node 'Where answer' <&> \\x1b[31m"
    steps = gate["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [step["location"]["message"]["text"] for step in steps][2] == "Greater lit"
    assert all("physicalLocation" in step["location"] for step in steps)  # GitHub refuses those without
    assert gate["properties"]["proofs"][0]["witness"]["class_after"] == 7
    assert "logicalLocations" not in bytes_["locations"][0]
    assert bytes_["ruleId"] == "unclaimed-bytes/low"  # the rule itself is worse
    assert (verdict["ruleId"], verdict["level"]) == ("witness", "error")


def test_what_is_accepted_is_told_or_left_out(every_state: tuple[Answer, ...]) -> None:
    gate, _, verdict = of(run(every_state), "vendor/gate.onnx")
    (held,) = gate["suppressions"]
    assert (held["kind"], held["status"]) == ("external", "accepted")
    assert held["justification"] == "Looked at in review 12: a range check."
    assert held["properties"] == {"model": "vendor/*", "code": "value-gate", "expires": "2099-01-02"}
    assert verdict["suppressions"] == []  # a finding that is accepted does not accept the verdict
    left = of(run(every_state, suppressed=False), "vendor/gate.onnx")
    assert [result["ruleId"] for result in left] == ["unclaimed-bytes/low", "witness"]


def test_a_verdict_whose_charges_are_all_accepted_is(suspicious: Report, answer: Make) -> None:
    held = Suppression("calibrated-score", MODEL, "We made it ourselves.")
    (result,) = run([answer(suspicious, suppressed={"calibrated-score": held})])["results"]
    assert result["suppressions"][0]["justification"] == "We made it ourselves."


def test_every_model_is_an_artifact_with_hash_and_verdict(every_state: tuple[Answer, ...]) -> None:
    found = run(every_state)
    names = [name for answer in every_state for name in answer.names]
    assert len(found["artifacts"]) == len(names)
    first, copy, fine = found["artifacts"][:3]
    assert first["hashes"] == copy["hashes"] == {"sha-256": MODEL}
    assert first["length"] == 231_480
    assert copy["location"]["uri"] == "copy/of%20it.onnx"
    assert first["properties"]["revision"] == "0123abcd"
    assert (fine["properties"]["verdict"], fine["properties"]["group"]) == ("clean", "shop")
    assert found["properties"]["verdicts"]["not scanned"] == 1
    for place, artifact in enumerate(found["artifacts"]):
        assert artifact["location"]["index"] == place
    for result in found["results"]:
        where = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert found["artifacts"][where["index"]]["location"] == where


def test_what_was_not_checked_is_a_notification(every_state: tuple[Answer, ...]) -> None:
    found = run(every_state)
    invocation, descriptors = found["invocations"][0], found["tool"]["driver"]["notifications"]
    told = invocation["toolExecutionNotifications"]
    assert [n["descriptor"]["id"] for n in told] == [
        "check-skipped", "check-failed", "model-failed", "model-unscanned", "model-waiting",
    ]  # fmt: skip
    assert all(descriptors[n["descriptor"]["index"]]["id"] == n["descriptor"]["id"] for n in told)
    assert [n["level"] for n in told] == ["warning", "error", "error", "error", "warning"]
    assert "Git LFS pointer" in told[3]["message"]["text"]
    assert invocation["executionSuccessful"] is False
    assert invocation["startTimeUtc"] == "2026-03-04T05:05:43.000Z"
    assert invocation["endTimeUtc"] == "2026-03-04T05:10:00.000Z"
    assert run(every_state[:2])["invocations"][0]["executionSuccessful"] is True


def test_a_check_that_was_not_due_is_a_note(clean: Report, answer: Make) -> None:
    found = run([answer(replace(clean, skipped=(Skipped("free-eagle", "no inner tensor", due=False),)))])
    (told,) = found["invocations"][0]["toolExecutionNotifications"]
    descriptor = found["tool"]["driver"]["notifications"][told["descriptor"]["index"]]
    assert (told["descriptor"]["id"], told["level"]) == ("check-not-due", "note")
    assert descriptor["id"] == "check-not-due"
    assert "not made for such a model" in descriptor["shortDescription"]["text"]
    assert "was due" not in descriptor["shortDescription"]["text"]


def test_a_rule_that_broke_is_named(inconclusive: Report, answer: Make) -> None:
    broke = replace(inconclusive.failures[0], check="rule value-gate")
    found = run([answer(replace(inconclusive, failures=(broke,)))])
    told = found["invocations"][0]["toolExecutionNotifications"][-1]
    rules = found["tool"]["driver"]["rules"]
    assert rules[told["associatedRule"]["index"]]["id"] == told["associatedRule"]["id"] == "value-gate"


def test_options_of_the_run(every_state: tuple[Answer, ...]) -> None:
    found = run(every_state, category="nightly", exit_code=1)
    assert found["automationDetails"] == {"id": "nightly"}
    assert found["invocations"][0]["exitCode"] == 1
    assert "exitCode" not in run(every_state)["invocations"][0]


def reason_codes() -> Iterator[str]:
    """Every literal that stands where a reason's code does: first of a pair whose second is a sentence."""
    for file in ("verdict", "poisoning", "scoring", "shifts", "static_stage"):
        for node in ast.walk(ast.parse((Path(scanner_file).parent / f"{file}.py").read_text(encoding="utf-8"))):
            match node:
                case ast.Tuple(elts=[ast.Constant(value=str(code)), ast.JoinedStr()]):
                    yield code
                case ast.Tuple(elts=[ast.Constant(value=str(code)), ast.Constant(value=str(says))]) if " " in says:
                    yield code


def test_every_reason_of_the_verdict_is_a_rule() -> None:
    found = set(reason_codes())
    assert {"verified-trigger", "witness", "poisoned-samples", "not-judged"} <= found
    assert found <= set(REASONS)


def test_github_takes_the_rules(every_state: tuple[Answer, ...]) -> None:
    found = run(every_state)
    rules = found["tool"]["driver"]["rules"]
    assert {*all_rules(), *REASONS} <= {rule["id"] for rule in rules}
    assert len({rule["id"] for rule in rules}) == len({rule["name"] for rule in rules}) == len(rules) <= 25_000
    for rule in rules:
        assert len(rule["id"]) <= 255
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"]
        assert rule["help"]["markdown"]
        assert "security" in rule["properties"]["tags"]
        assert len(rule["properties"]["tags"]) <= 10
        assert rule["properties"]["precision"] in ("very-high", "high", "medium", "low")
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")


def test_github_takes_the_results(every_state: tuple[Answer, ...]) -> None:
    found = run(every_state, passes=True)
    rules = found["tool"]["driver"]["rules"]
    for result in found["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert len(result["locations"]) == 1
        assert "region" not in result["locations"][0]["physicalLocation"]  # no line is invented
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        assert (result["level"] == "none") == (result["kind"] != "fail")  # SARIF 2.1.0, 3.27.10


def test_severity_on_github_is_that_of_the_finding(gated: Report, answer: Make) -> None:
    finding = gated.findings[0]
    for severity, score in ((Severity.HIGH, "8.0"), (Severity.NOTE, "1.0"), (Severity.CRITICAL, "9.5")):
        found = run([answer(replace(gated, findings=(replace(finding, severity=severity),)))])
        rule = found["tool"]["driver"]["rules"][found["results"][0]["ruleIndex"]]
        assert rule["properties"]["security-severity"] == score


def test_an_unknown_rule_or_reason_is_described_too(gated: Report, answer: Make) -> None:
    odd = replace(
        gated,
        findings=(Finding("vendors-own", Severity.HIGH, "file", "something"),),
        verdict=Verdict(gated.verdict.label, 1.0, (), (("of-tomorrow", "New."),)),
    )
    found = run([answer(odd), answer(replace(odd, verdict=replace(odd.verdict, reasons=())))])
    known = {rule["id"] for rule in found["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in found["results"]} <= known
    assert {"vendors-own", "of-tomorrow/backdoored"} <= known


def fingerprints(found: Any) -> list[str]:
    return [result["partialFingerprints"]["onnxray/v1"] for result in found["results"]]


def test_fingerprints_follow_rule_bytes_and_place_alone(gated: Report, answer: Make) -> None:
    here = fingerprints(run([answer(gated)]))
    elsewhere = fingerprints(run([answer(gated, names=("/other/machine.onnx",), seconds=9.0, worker="b:2", ended="")]))
    assert here == elsewhere
    other = replace(gated, model=replace(gated.model, sha256="99" * 32))
    assert not set(here) & set(fingerprints(run([answer(other)])))
    twice = replace(gated, findings=(gated.findings[0], gated.findings[0]))
    assert len(set(fingerprints(run([answer(twice)])))) == 3


def test_models_without_bytes_are_told_apart_by_name() -> None:
    lost = [Answer((name,), State.UNSCANNED, why="unreadable", code="unreadable") for name in ("a", "b")]
    assert len(set(fingerprints(run(lost)))) == 2


def test_the_same_answers_give_the_same_bytes(every_state: tuple[Answer, ...]) -> None:
    assert "".join(Sarif().render(every_state)) == "".join(Sarif().render(iter(list(every_state))))


def test_no_answers_are_a_valid_run() -> None:
    assert run([])["results"] == []


@pytest.mark.parametrize(
    ("name", "uri", "base"),
    [
        ("models/a b.onnx", "models/a%20b.onnx", "%SRCROOT%"),
        ("./models//a.onnx", "models//a.onnx", "%SRCROOT%"),
        (".//a:b.onnx", "a%3Ab.onnx", "%SRCROOT%"),
        ("../a.onnx", "../a.onnx", "%SRCROOT%"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29", "%SRCROOT%"),
        ("a#b?c%d.onnx", "a%23b%3Fc%25d.onnx", "%SRCROOT%"),
        ("zoo.zip!nets/a.onnx", "zoo.zip!nets/a.onnx", "%SRCROOT%"),
        ("hf://org/repo@0123abcd/onnx/model.onnx", "org/repo@0123abcd/onnx/model.onnx", "HUB"),
        ("/data/m.onnx", "file:///data/m.onnx", ""),
        ("//host/m.onnx", "file:///host/m.onnx", ""),
        ("C:\\models\\m.onnx", "file:///C:/models/m.onnx", ""),
        ("\udcff.onnx", "%FF.onnx", "%SRCROOT%"),
        ("ö\u202e", "%C3%B6%E2%80%AE", "%SRCROOT%"),
    ],
)
def test_names_become_uris(name: str, uri: str, base: str) -> None:
    assert uri_of(name) == (uri, base)


@settings(deadline=None)
@given(st.text(st.characters(), max_size=30))
def test_a_uri_is_relative_and_gives_the_name_back(name: str) -> None:
    uri, base = uri_of(name)
    assert uri.isascii()
    if base == "%SRCROOT%":
        assert not urlparse(uri).scheme
        assert not urlparse(uri).netloc
        assert urljoin("file:///root/", uri).startswith("file:///")
    if base and not name.startswith(("hf://", "./")):
        try:
            raw = name.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return
        assert unquote_to_bytes(uri) == raw


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])  # each is validated as a whole
@given(data=st.data())
def test_any_names_give_a_valid_run(data: Any, backdoored: Report, hostile: tuple[str, ...], answer: Make) -> None:
    text = st.text(max_size=12) | st.sampled_from(hostile)
    names = tuple(data.draw(st.lists(text, min_size=1, max_size=3)))
    known = {"names": names, "group": data.draw(text), "worker": data.draw(text), "origin": {data.draw(text): "x"}}
    code = data.draw(text)
    held = {code: Suppression(code, data.draw(text), data.draw(text), date.max)}
    findings = (Finding(code, Severity.HIGH, data.draw(text), data.draw(text), (data.draw(text),)),)
    lost = Answer(state=State.FAILED, why=data.draw(text), code="error", ended=data.draw(text), **known)
    found = run([answer(replace(backdoored, findings=findings), suppressed=held, **known), lost])
    assert len(found["results"]) == 3
    assert len(found["artifacts"]) == 2 * len(names)


def test_text_of_a_file_is_neither_link_nor_placeholder(every_state: tuple[Answer, ...]) -> None:
    lost = replace(every_state[5], names=("[free](http://example.invalid) {0}\x1b[31m\n\u202e",))
    (result,) = run([lost])["results"]
    assert result["message"]["text"].startswith(
        "\\[free\\](http://example.invalid) {{0}}\\\\x1b\\[31m\\\\n\\\\u202e: there is no verdict (error)"
    )
