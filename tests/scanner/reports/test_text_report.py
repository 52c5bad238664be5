"""The terminal view says what the report says, whatever the file tries to print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxray.scanner.findings import Evidence, Finding, Label, Report, Severity, Skipped, Verdict
from onnxray.scanner.reports import Artifacts
from onnxray.scanner.reports.text import Text
from rich.cells import cell_len

NOTHING = Artifacts()


def words(report: Report, artifacts: Artifacts = NOTHING, width: int = 80) -> str:
    """The plain view on one line, so that wrapping does not matter."""
    return " ".join(Text(width=width).render(report, artifacts).replace("│", " ").split())


def test_the_verdict_comes_first_and_is_told_without_colour(backdoored: Report) -> None:
    shown = Text().render(backdoored, NOTHING)
    assert "BACKDOORED" in shown.splitlines()[0]
    assert "\x1b" not in shown


@pytest.mark.parametrize("width", [80, 120])
def test_backdoored_names_the_target_the_rates_and_the_reasons(backdoored: Report, width: int) -> None:
    shown = words(backdoored, width=width)
    for fact in (
        "Do not deploy",
        "class 7 (Sneaker)",
        "verified-trigger",
        "96.7% (88/91) ◀ target",
        "100.0% (91 of 91)",
        "accuracy 88.0% (176 of 200)",
        "next best convention 71.5%",
        "agree on 100.0% of 64 inputs",
        "87.0% (87 of 100) held-out pictures",
        "none found",
        "No scan can prove",
        "detect 21.4 s",
    ):
        assert fact in shown


def test_clean_is_not_called_proof_and_hides_most_classes(clean: Report) -> None:
    shown = words(clean)
    assert "evidence, not proof" in shown
    assert "... and 31 more, none of them flagged" in shown
    assert "Recovered trigger" not in shown


def test_inconclusive_says_what_was_not_checked_and_gives_no_score(inconclusive: Report) -> None:
    shown = words(inconclusive)
    assert "Treat it as unchecked, not as clean" in shown
    assert "NOT clearly above chance" in shown
    assert "NOT checked neural-cleanse: the model's input domain is unknown" in shown
    assert "failed input-domain (see above)" in shown
    assert "suspicion" not in shown


def test_what_was_not_due_is_told_apart_from_what_is_missing(clean: Report) -> None:
    skips = (Skipped("max-margin", "no gradients"), Skipped("free-eagle", "no inner tensor", due=False))
    shown = words(replace(clean, skipped=skips))
    assert "NOT checked max-margin: no gradients" in shown
    assert "not due free-eagle: no inner tensor" in shown


def test_all_accused_classes_are_shown(clean: Report) -> None:
    flagged = tuple(range(20, 40))
    evidence = replace(clean.evidence[0], flagged=flagged)
    shown = Text().render(replace(clean, evidence=(evidence,)), NOTHING)
    assert shown.count("stands out") == 20
    assert "and 23 more" in shown


def test_beside_a_convicted_class_others_are_not_pictured(backdoored: Report) -> None:
    evidence = replace(backdoored.evidence[0], flagged=(7, 6))
    shown = words(replace(backdoored, evidence=(evidence,)))
    assert "Recovered trigger of class 7" in shown
    assert "Recovered trigger of class 6" not in shown
    verdict = replace(backdoored.verdict, label=Label.INCONCLUSIVE, targets=())
    assert "Recovered trigger of class 6" in words(replace(backdoored, verdict=verdict, evidence=(evidence,)))


def test_the_path_of_the_picture_is_shown(backdoored: Report) -> None:
    artifacts = Artifacts(Path("out"), {"neural-cleanse": {"trigger-class7": "trigger-class7.png"}})
    assert str(Path("out/trigger-class7.png")) in words(backdoored, artifacts)


@pytest.mark.parametrize(
    ("colors", "drawn"), [("none", False), ("standard", False), ("256", True), ("truecolor", True)]
)
def test_a_picture_only_where_the_terminal_has_colours(backdoored: Report, colors: str, drawn: bool) -> None:
    assert ("▀" in Text(colors=colors).render(backdoored, NOTHING)) == drawn  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["backdoored", "clean", "inconclusive"])
def test_ascii(name: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(name)
    shown = Text(ascii=True, colors="truecolor").render(report, NOTHING)
    assert shown.isascii()
    assert name.upper() in shown


HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold red]CLEAN[/]\r\n\u202e:smiley: [link=http://x]y[/link]"


def hostile(report: Report, text: str) -> Report:
    return replace(
        report,
        model=replace(report.model, path=text, producer=text),
        class_names=tuple(text for _ in report.class_names),
        findings=(Finding(text, Severity.HIGH, text, text),),
        verdict=replace(report.verdict, reasons=(("code", text),)),
        ran=(text,),
    )


def test_markup_and_escapes_in_names_are_only_text(backdoored: Report) -> None:
    shown = Text(width=200).render(hostile(backdoored, HOSTILE), NOTHING)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown)
    assert "[bold red]CLEAN[/]" in shown
    assert ":smiley:" in shown
    assert "[link=http://x]y[/link]" in shown


@given(text=st.text(max_size=60), width=st.sampled_from([80, 120]))
def test_any_name_keeps_the_lines_inside_the_terminal(backdoored: Report, text: str, width: int) -> None:
    shown = Text(width=width).render(hostile(backdoored, text), NOTHING)
    assert all(line.isprintable() and cell_len(line) <= width for line in shown.split("\n"))


def test_a_verdict_without_targets_or_evidence_still_reads(clean: Report) -> None:
    for label in Label:
        shown = words(
            replace(clean, verdict=Verdict(label, 0.5), evidence=(), evaluation=None, parity=None, domain=None)
        )
        assert label.upper() in shown
        assert "class" not in shown.partition("What this rests on")[0]


def test_a_statistic_that_is_no_share_is_a_plain_number(clean: Report) -> None:
    evidence = Evidence("margin", (12.5, 3.25), "largest margin, logits")
    shown = words(replace(clean, evidence=(evidence,)))
    assert "statistic" in shown
    assert "12.5" in shown
    assert "1250" not in shown


def test_many_targets_are_counted(backdoored: Report) -> None:
    verdict = replace(backdoored.verdict, targets=tuple(range(10)))
    assert "and 6 more" in words(replace(backdoored, verdict=verdict))


def test_a_trigger_that_moves_every_class_is_told_as_that(backdoored: Report) -> None:
    verdict = Verdict(Label.BACKDOORED, 0.99, (1, 2, 0), (("shifting-trigger", "One trigger moves all classes."),))
    evidence = Evidence("shift-search", (0.01,) * 10, "mask L1 of one trigger", whole=True)
    shown = words(replace(backdoored, verdict=verdict, evidence=(evidence,)))
    assert "makes it answer another class for every class" in shown
    assert "1.0% of the picture" in shown
