"""The ML-BOM follows CycloneDX 1.6 in its strict form, for any answers, and says what a buyer of models must know."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from onnxray.scanner.answers import Answer, State, Suppression
from onnxray.scanner.documents.cyclonedx import Cyclonedx
from onnxray.scanner.findings import Rate, Report

pytest.importorskip("cyclonedx", reason="cyclonedx-python-lib brings the schema")
MODEL = "ab12" * 16

Make = Callable[..., Answer]


@cache
def validator() -> Any:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6)


def bill(answers: Any) -> Any:
    text = "".join(Cyclonedx().render(iter(answers)))
    error = validator().validate_str(text)
    assert error is None, error
    return json.loads(text)


def properties(component: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in component["properties"]:
        found.setdefault(entry["name"].removeprefix("onnxray:"), []).append(entry["value"])
    return found


def test_the_schema_refuses_what_is_wrong(every_state: tuple[Answer, ...]) -> None:
    wrong = bill(every_state)
    wrong["components"][0]["modelCard"]["invented"] = 1
    assert validator().validate_str(json.dumps(wrong)) is not None
    wrong = bill(every_state)
    wrong["vulnerabilities"][0]["analysis"]["state"] = "perhaps"
    assert validator().validate_str(json.dumps(wrong)) is not None


def test_a_model_is_a_component_with_its_card(every_state: tuple[Answer, ...]) -> None:
    component = bill(every_state)["components"][0]
    assert component["type"] == "machine-learning-model"
    assert component["name"] == "shop/fashion.onnx"
    assert component["version"] == "0123abcd"
    assert component["hashes"] == [{"alg": "SHA-256", "content": MODEL}]
    card = component["modelCard"]
    assert card["modelParameters"]["task"] == "classification"
    assert card["modelParameters"]["inputs"] == [{"format": "image NCHW, float32, ? x 1 x 28 x 28, values from 0 to 1"}]
    assert card["modelParameters"]["outputs"] == [{"format": "scores of 10 classes"}]
    assert "No scan can prove" in card["considerations"]["technicalLimitations"][0]
    assert properties(component)["name"] == ["shop/fashion.onnx", "copy/of it.onnx"]
    assert properties(component)["verdict"] == ["backdoored"]
    assert properties(component)["target"] == ["7"]


def test_measurements_have_their_intervals(every_state: tuple[Answer, ...]) -> None:
    card = bill(every_state)["components"][0]["modelCard"]
    clean, six, seven = card["quantitativeAnalysis"]["performanceMetrics"]
    assert (clean["type"], clean["value"]) == ("clean accuracy", "0.8700")
    rate = Rate(87, 100)
    ends = {"lowerBound": f"{rate.lower:.4f}", "upperBound": f"{rate.upper:.4f}"}
    assert clean["confidenceInterval"] == ends
    assert (six["value"], seven["value"]) == (f"{37 / 90:.4f}", f"{88 / 91:.4f}")
    assert float(seven["confidenceInterval"]["lowerBound"]) == pytest.approx(Rate(88, 91).lower, abs=1e-4)
    assert "class 7" in seven["slice"]


def test_what_was_found_is_a_vulnerability(every_state: tuple[Answer, ...]) -> None:
    found = bill(every_state)
    told = [(v["affects"][0]["ref"][:10], v["analysis"]["state"], v["ratings"][0]["severity"])
            for v in found["vulnerabilities"]]  # fmt: skip
    assert told == [
        ("model:ab12", "exploitable", "critical"),
        ("model:cd34", "exploitable", "critical"),
        ("model:ef56", "in_triage", "medium"),
    ]
    refs = {component["bom-ref"] for component in found["components"]}
    assert all(v["affects"][0]["ref"] in refs for v in found["vulnerabilities"])
    assert "class 7 (Sneaker)" in found["vulnerabilities"][0]["description"]
    assert found["vulnerabilities"][0]["id"] == f"onnxray-verified-trigger-{MODEL[:16]}"


def test_what_is_accepted_says_who_said_so(suspicious: Report, answer: Make) -> None:
    held = Suppression("calibrated-score", MODEL, "We made it ourselves.")
    (found,) = bill([answer(suspicious, suppressed={"calibrated-score": held})])["vulnerabilities"]
    assert found["analysis"]["state"] == "in_triage"
    assert found["analysis"]["response"] == ["will_not_fix"]
    assert "We made it ourselves." in found["analysis"]["detail"]


def test_a_model_without_a_report_says_why_and_has_no_card(every_state: tuple[Answer, ...]) -> None:
    components = bill(every_state)["components"]
    assert len(components) == len(every_state)
    pointer = next(c for c in components if c["name"] == "pointer.onnx")
    assert "modelCard" not in pointer
    assert "hashes" not in pointer
    assert properties(pointer) == {
        "verdict": ["not scanned"],
        "name": ["pointer.onnx"],
        "code": ["not-downloaded"],
        "why": ["a Git LFS pointer; fetch the file"],
    }


def test_what_was_not_checked_is_a_limitation(every_state: tuple[Answer, ...]) -> None:
    blind = bill(every_state)["components"][4]
    assert any(
        "(skipped): neural-cleanse" in text for text in blind["modelCard"]["considerations"]["technicalLimitations"]
    )


def test_time_and_serial_number_come_from_the_answers(every_state: tuple[Answer, ...]) -> None:
    one, two = ("".join(Cyclonedx().render(every_state)) for _ in range(2))
    assert one == two
    assert bill(every_state)["metadata"]["timestamp"] == "2026-03-04T05:10:00.000Z"
    other = bill(every_state[:-1])
    assert other["serialNumber"] != json.loads(one)["serialNumber"]
    assert "timestamp" not in bill(every_state[-1:])["metadata"]


def test_a_model_of_the_hub_has_a_package_url(clean: Report, answer: Make) -> None:
    (found,) = bill([answer(clean, names=("hf://org/repo@0123abcd/onnx/model.onnx",))])["components"]
    assert found["purl"] == "pkg:huggingface/org/repo@0123abcd"


def test_the_same_bytes_twice_keep_apart(clean: Report, answer: Make) -> None:
    refs = [c["bom-ref"] for c in bill([answer(clean), answer(clean, names=("b",))])["components"]]
    assert len(set(refs)) == 2


def test_no_answers_are_a_valid_bill() -> None:
    assert bill([])["components"] == []


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])  # each is validated as a whole
@given(data=st.data())
def test_any_names_give_a_valid_bill(data: Any, backdoored: Report, hostile: tuple[str, ...], answer: Make) -> None:
    text = st.text(max_size=12) | st.sampled_from(hostile)
    names = tuple(data.draw(st.lists(text, min_size=1, max_size=3)))
    known = {"names": names, "group": data.draw(text), "origin": {data.draw(text): "x", "revision": data.draw(text)}}
    lost = Answer(state=State.FAILED, why=data.draw(text), code="error", ended=data.draw(text), **known)
    odd = replace(backdoored, model=replace(backdoored.model, path=data.draw(text), producer=data.draw(text)))
    assert len(bill([answer(odd, **known), lost])["components"]) == 2
