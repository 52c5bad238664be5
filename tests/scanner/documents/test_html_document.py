"""The page for a browser: what is in it, that names cannot break it, that it asks for nothing, and that it streams."""

from __future__ import annotations

import re
import shutil
import subprocess
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxray.scanner.answers import Answer, State, Suppression
from onnxray.scanner.contract import LIMITS
from onnxray.scanner.documents import Document
from onnxray.scanner.documents._html import page as page_module
from onnxray.scanner.documents._html.gallery import Gallery
from onnxray.scanner.documents.html import Html
from onnxray.scanner.errors import OnnxrayError
from onnxray.scanner.findings import Evidence, Label, Rate, Report, Skipped, Verdict
from onnxray.scanner.reports import write_artifacts
from onnxray.scanner.reports._artifacts import contents
from onnxray.scanner.reports._translate import contract_of

TEMPLATES = Path(__file__).parents[3] / "scanner" / "documents" / "_html" / "templates"
VOID = {"meta", "input", "link", "br", "img", "hr"}
SHAPES = {"line", "rect", "image", "use", "path"}  # of SVG, which close themselves
REPAIR: dict[str, Any] = {
    "schema": "onnxray/repair/1", "repaired": True, "output": "fixed<b>.onnx", "method": "unlearn", "reason": "",
    "before": {"clean_accuracy": 0.91, "attacks": [{"target": 7, "rate": 1.0, "hits": 87, "trials": 87}]},
    "after": {"clean_accuracy": 0.9, "attacks": [{"target": 7, "rate": 0.034, "hits": 3, "trials": 87}]},
    "edited": {"w": 12}, "added_nodes": 0, "scan": "backdoored", "notes": ["Half of the samples were held out."],
    "attempts": [
        {"method": "prune", "round": 1, "note": "", "problem": "it lost accuracy", "rescan": None},
        {"method": "unlearn", "round": 1, "note": "3 passes", "problem": "", "rescan": "clean"},
    ],
}  # fmt: skip


class Page(HTMLParser):
    """What a parser makes of a page: elements with their attributes, text, and mistakes of nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.mistakes: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.mistakes += [f"{tag} is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if len(dict(attrs)) != len(attrs):
            self.mistakes.append(f"{tag} names an attribute twice: {attrs}")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.mistakes.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All words that a reader sees, with single spaces."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def rendered(answers: Iterable[Answer]) -> str:
    return "".join(Html().render(answers))


@pytest.fixture(scope="module")
def text(every_state: tuple[Answer, ...]) -> str:
    return rendered(every_state)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_it_is_a_document_of_valid_structure(page: Page) -> None:
    assert issubclass(Html, Document)
    assert page.mistakes == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    for _, attributes in page.elements:
        for name in ("href", "aria-labelledby", "for"):
            if name in attributes and not str(attributes[name]).startswith("data:"):
                assert str(attributes[name]).removeprefix("#") in ids
    assert page.elements[0] == ("html", {"lang": "en"})
    assert [tag for tag, _ in page.elements].count("main") == 1


def test_headings_never_skip_a_level(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_model_has_a_row_and_a_section(every_state: tuple[Answer, ...], page: Page) -> None:
    sections = [a for a in page.all("article")]
    rows = [a for a in page.all("tr") if "data-model" in a]
    assert len(sections) == len(rows) == len(every_state)
    assert {a["data-model"] for a in rows} == {a["id"] for a in sections}
    worst = ["backdoored", "suspicious", "inconclusive", "error", "not scanned", "waiting", "clean"]
    assert [a["data-label"] for a in rows] == sorted((a.label for a in every_state), key=worst.index)
    for answer in every_state:
        assert page.text.count(answer.name) >= 2
    assert "and 1 more name" in page.text
    assert "also called copy/of it.onnx" in page.text


def test_the_counters_add_up(every_state: tuple[Answer, ...], page: Page) -> None:
    for label, count in Counter(answer.label for answer in every_state).items():
        assert f"{count} {label}" in page.text
    assert f"{len(every_state)} in all" in page.text


def test_what_has_no_report_says_why_and_is_never_called_clean(every_state: tuple[Answer, ...]) -> None:
    for answer in every_state:
        if answer.report is None:
            words = Page(rendered([answer])).text
            before_the_guide = words.partition("How to read this backdoored")[0]
            assert answer.why in words
            assert "It is unchecked, not clean." in before_the_guide
            assert "found no backdoor" not in before_the_guide


def test_a_backdoored_model_is_told_in_words_pictures_and_bars(backdoored: Report, answer: Any) -> None:
    page = Page(rendered([answer(backdoored)]))
    assert "Do not deploy this model: a small hidden trigger makes it answer class 7 (Sneaker)" in page.text
    for _, sentence in backdoored.verdict.reasons:
        assert sentence in page.text
    shown = [a["aria-label"] or "" for a in page.all("svg") if a.get("class") == "picture"]
    assert [words.split(",")[0] for words in shown] == [
        "The recovered trigger of class 7 (Sneaker)",
        "How strongly it covers each pixel: white hides the picture",
        "Held-out pictures above",
    ]
    assert "median of the other classes, 6.2%" in page.text
    assert "a backdoor needs at most 1.6%" in page.text
    assert [a["x1"] for a in page.all("line") if a["class"] == "cut"]
    assert page.text.count("◀ target") == 1
    assert "2 more" not in page.text
    assert LIMITS in page.text


def test_bars_are_as_long_as_the_statistic(backdoored: Report, answer: Any) -> None:
    page = Page(rendered([answer(backdoored)]))
    lengths = [float(a["width"] or 0) for a in page.all("rect")]
    sizes = sorted(v for v in backdoored.evidence[0].classes if v == v)
    assert lengths[0] == pytest.approx(100 * 0.0163 / (0.081 * 1.04), abs=0.01)  # the accused class is first
    assert sorted(lengths[:9]) == pytest.approx([100 * v / (0.081 * 1.04) for v in sizes], abs=0.01)
    cut = next(float(a["x1"] or 0) for a in page.all("line") if a["class"] == "cut" and a["x1"] != "5")
    assert cut == pytest.approx(100 * 0.25 * 0.0625 / (0.081 * 1.04), abs=0.01)


def test_many_classes_are_a_strip_and_the_first_bars(clean: Report, answer: Any) -> None:
    page = Page(rendered([answer(clean)]))
    assert sum(str(a["d"]).count("M") for a in page.all("path") if a.get("class") == "tick") == 43
    assert len(page.all("rect")) == 5
    assert "38 more classes are in the strip" in page.text


def test_a_method_that_only_nominates_shows_how_far_classes_stand_apart(suspicious: Report, answer: Any) -> None:
    index = [0.1, -0.4, 0.3, 0.0, None, 8.0, 0.2]
    named = Evidence(
        "max-margin", (1.0, 2.0, 1.5, 1.0, float("nan"), 90.0, 1.2), "largest margin", (5,),
        details={"anomaly_index": index, "cut": 5.9}, large=True,
    )  # fmt: skip
    page = Page(rendered([answer(replace(suspicious, evidence=(named,), examples=None))]))
    assert "flagged beyond 5.9" in page.text
    lengths = [float(a["width"] or 0) for a in page.all("rect")]
    assert lengths[1] == max(lengths) == pytest.approx(100 / 1.04, abs=0.01)  # behind the accused
    assert min(lengths) == 0
    assert page.text.count("◀ stands out") == 1
    quiet = replace(named, detector="last-layer", flagged=())
    page = Page(rendered([answer(replace(suspicious, evidence=(named, quiet), examples=None))]))
    assert "1 more method flags no class" in page.text


def test_an_infinite_cut_is_not_drawn(suspicious: Report, answer: Any) -> None:
    details = {"anomaly_index": [0.5, float("nan"), -1.0], "cut": float("inf")}
    named = Evidence("last-layer", (1.0, float("inf"), 3.0), "mean weight", (), details=details)
    text = rendered([answer(replace(suspicious, evidence=(named,), examples=None))])
    assert not re.search(r'"-?(nan|inf|None)', text)
    assert "flagged beyond" not in text


def test_maps_are_shown_over_samples(suspicious: Report, answer: Any) -> None:
    heat = np.eye(28, dtype=np.float32)
    named = Evidence("neuron-inspect", (0.0,) * 43, "heatmaps", (6,), maps={"heatmap-class6": heat})
    report = replace(suspicious, evidence=(named,), examples=np.full((4, 1, 28, 28), 0.5, np.float32))
    page = Page(rendered([answer(report)]))
    (shown,) = [a for a in page.all("svg") if a.get("class") == "picture"]
    assert "Which pixels speak for class 6" in (shown["aria-label"] or "")
    assert "glowing over them" in (shown["aria-label"] or "")
    assert "Where the model looks" in page.text


def test_gates_are_drawn_and_their_proof_is_told(gated: Report, answer: Any) -> None:
    page = Page(rendered([answer(gated)]))
    boxes = [a for a in page.all("g") if str(a.get("class")).startswith("box")]
    assert len(boxes) == len(gated.findings[0].path)
    assert len([a for a in page.all("path") if a.get("class") == "edge"]) == len(boxes) - 1
    assert "A picture of class 3 becomes class 7 with 2 pixels changed, and class 3 with the gate held" in page.text
    assert "The same pixels turn 19 of 20 other pictures." in page.text
    assert "A picture on which the gate is silent" in page.text
    assert "12 bytes after the model belong to nothing." in page.text
    assert "Slice corner → Greater lit → Where answer" in page.text


def test_a_suppression_is_told_with_reason_and_end(gated: Report, answer: Any) -> None:
    accepted = {"value-gate": Suppression("value-gate", "*", "A range check, see review 12.", date(2099, 1, 2))}
    page = Page(rendered([answer(gated, suppressed=accepted)]))
    assert "Accepted: value-gate until 2099-01-02: A range check, see review 12." in page.text
    assert "1 accepted" in page.text
    assert "What the file gives away" in page.text  # still


def test_a_repair_is_told_before_and_after(backdoored: Report, answer: Any) -> None:
    page = Page(rendered([answer(backdoored, repair=REPAIR)]))
    assert "Written as fixed<b>.onnx by unlearn: 12 elements of 1 weights changed." in page.text
    assert "A scan of the result with a fresh seed says: clean." in page.text
    assert "attack on class 7 (low is good) 100.0% 3.4%" in page.text
    assert "unlearn, round 1 3 passes clean" in page.text
    again = {side: {**REPAIR[side], "attacks": [*REPAIR[side]["attacks"], {"target": 7, "rate": rate}]}
             for side, rate in (("before", 0.5), ("after", 0.25))}  # fmt: skip
    twice = Page(rendered([answer(backdoored, repair=REPAIR | again)]))
    assert "attack on class 7 (worst of 2 triggers) (low is good) 100.0% 25.0%" in twice.text
    assert "that there is no other cannot be proven" in page.text
    kept = {**REPAIR["attempts"][1], "round": 2, "rescan": "suspicious", "evaluation": REPAIR["after"]}
    worse = {**REPAIR["attempts"][1], "round": 3, "rescan": "inconclusive"}
    several = REPAIR | {"attempts": [*REPAIR["attempts"], kept, worse]}
    assert "with a fresh seed says: suspicious." in Page(rendered([answer(backdoored, repair=several)])).text
    refused = REPAIR | {"repaired": False, "after": None, "reason": "nothing worked"}
    page = Page(rendered([answer(backdoored, repair=refused)]))
    assert "Not repaired: nothing worked. Nothing was written." in page.text


def test_poisoned_samples_are_listed_with_their_picture(poisoned: Report, answer: Any) -> None:
    page = Page(rendered([answer(poisoned)]))
    assert "Suspicious training samples, by activation-clustering" in page.text
    assert "3 of 30 (10.0%)" in page.text
    assert "400 7 poisoned 0.9000" in page.text
    assert any("Training samples labelled 7" in (a.get("aria-label") or "") for a in page.all("svg"))


@pytest.fixture(scope="module")
def poisoned(backdoored: Report) -> Report:
    from onnxray.scanner.clusters import Reclassified
    from onnxray.scanner.poisoned import PoisonedSamples

    group = PoisonedSamples(
        target=7, positions=np.arange(400, 403), scores=np.full(3, 0.9), labelled=30,
        reclassified=Reclassified(0, 3, 1), silhouette=0.4, followed=Rate(3, 3), clean=Rate(0, 10),
        transplant=Rate(99, 100), points=np.random.default_rng(0).random((30, 2), dtype=np.float32),
        inside=np.arange(30) < 3,
    )  # fmt: skip
    found = Evidence("activation-clustering", (float("nan"),) * 10, "size", (7,), poisoned=(group,))
    return replace(backdoored, evidence=(found,))


def test_what_was_not_checked_is_told(inconclusive: Report, answer: Any) -> None:
    skips = (Skipped("max-margin", "no gradients here"), Skipped("free-eagle", "no inner tensor", due=False))
    page = Page(rendered([answer(replace(inconclusive, skipped=skips))]))
    assert "max-margin skipped no gradients here" in page.text
    assert "free-eagle not due no inner tensor" in page.text
    assert "input-domain failed" in page.text
    assert "Everything that was due was checked." not in page.text


def test_names_cannot_break_the_page(hostile: tuple[str, ...], backdoored: Report, gated: Report, answer: Any) -> None:
    """The same elements come out whatever things are called, and no control or direction character."""

    def shapes(name: str) -> list[tuple[str, list[str]]]:
        finding = replace(gated.findings[0], location=name, message=name, path=(name, "b", "c"), rule=name)
        report = replace(
            backdoored,
            findings=(finding,),
            class_names=(name,) * 10,
            verdict=Verdict(Label.BACKDOORED, 1.0, (7,), ((name, name),)),
        )
        text = rendered(
            [
                answer(
                    report,
                    names=(name, name),
                    group=name,
                    worker=name,
                    origin={name: name},
                    repair=REPAIR | {"output": name},
                ),
                Answer((name,), State.UNSCANNED, why=name, code=name),
            ]
        )
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)
        text.encode()
        page = Page(text)
        assert page.mistakes == []
        return [(tag, sorted(attributes)) for tag, attributes in page.elements]

    plain = shapes("plain.onnx")
    for name in hostile:
        assert shapes(name) == plain, name


def test_nothing_is_fetched_and_no_foreign_script_may_run(text: str, page: Page) -> None:
    policy = next(a["content"] or "" for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    assert len(page.all("script")) == len(page.all("style")) == 1
    for tag, attributes in page.elements:
        assert "style" not in attributes, tag
        assert "src" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("href", "action"):
            assert re.match("#|data:image/png;base64,|$", str(attributes.get(name, ""))), attributes
    assert not re.search(r"url\((?!#)|@import", text)
    assert not page.all("link") + page.all("base") + page.all("iframe") + page.all("form")


def test_every_picture_is_described(page: Page) -> None:
    assert not page.all("img")
    for attributes in page.all("svg"):
        named = attributes.get("aria-label") or attributes.get("aria-labelledby")
        assert attributes.get("aria-hidden") == "true" or (attributes.get("role") == "img" and named)
    assert len(page.all("caption")) == len(page.all("table"))


def test_the_same_picture_is_held_once(backdoored: Report, answer: Any) -> None:
    one, two = (rendered([answer(backdoored)] * count) for count in (1, 2))
    assert one.count("data:image/png") == two.count("data:image/png") == 3
    page = Page(two)
    assert len(page.all("use")) == 3
    assert {a["href"] for a in page.all("use")} == {f"#{a['id']}" for a in page.all("image")}


def test_an_empty_catalog_says_so() -> None:
    page = Page(rendered([]))
    assert page.mistakes == []
    assert "There is no model in this catalog, so nothing was checked." in page.text
    assert not page.all("table")


def test_one_model_is_opened_and_so_are_the_worrying(
    every_state: tuple[Answer, ...], clean: Report, answer: Any
) -> None:
    assert "open" in Page(rendered([answer(clean)])).all("details")[0]
    text = rendered(every_state)
    opened = {
        a
        for a, rest in re.findall(r'<article id="m\d+".*?class="model (\S+)".*?<details( open)?>', text, re.DOTALL)
        if rest
    }
    assert opened == {"backdoored", "suspicious"}


def test_a_clean_model_is_short(clean: Report, answer: Any) -> None:
    few, many = (len(rendered([answer(clean)] * count)) for count in (2, 12))
    assert (many - few) / 10 < 8_000


def test_many_models_are_read_once_and_never_held(
    backdoored: Report, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory grows by the rows only: 40 models with 50 kB of pictures each."""
    one = answer(backdoored)
    monkeypatch.setattr(page_module, "IN_MEMORY", 1 << 18)
    noise = np.random.default_rng(0)
    held = []

    def answers() -> Iterator[Answer]:
        for number in range(40):
            files = dict(one.files)
            files["stamped-class7.png"] = files["stamped-class7.png"][:30] + noise.bytes(50_000)
            yield replace(one, names=(f"{number}.onnx",), files=files)

    tracemalloc.start()
    size = 0
    for piece in Html().render(answers()):
        size += len(piece)
        held.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert size > 40 * 66_000
    assert max(held) < size / 2  # the temporary file is on the disk by now


def test_a_full_disk_is_one_clear_line(clean: Report, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, *options: object, **more: object) -> None: ...
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *error: object) -> None: ...
        def write(self, text: str) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(page_module, "SpooledTemporaryFile", Full)
    with pytest.raises(OnnxrayError, match="No space left on device; free some space or set TMPDIR"):
        rendered([answer(clean)])


@pytest.mark.parametrize("look", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(look: str) -> None:
    """WCAG 2: contrast of at least 4.5 to 1."""
    blocks = re.findall(r":root \{(.*?)\}", (TEMPLATES / "style.css").read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[look == "dark"]))
    words = ("ink", "muted", "link", "backdoored", "suspicious", "inconclusive", "clean", "other")
    for word in words:
        for ground in ("page", "card", "wash"):
            assert contrast(colours[word], colours[ground]) >= 4.5, (word, ground)


def contrast(one: str, two: str) -> float:
    light, dark = sorted((brightness(one), brightness(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def brightness(colour: str) -> float:
    values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.slow
def test_a_browser_opens_it_without_a_complaint(text: str, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    (tmp_path / "page.html").write_text(text)
    ran = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert "CONSOLE" not in ran.stderr
    assert 'aria-pressed="true"' in ran.stdout  # the script ran


def test_a_picture_of_one_trigger_of_several_is_about_its_class(backdoored: Report, tmp_path: Path) -> None:
    further = tuple(replace(t, seed=9) for t in backdoored.evidence[0].triggers[:1])
    assert backdoored.evaluation is not None
    rates = (*backdoored.evaluation.attack_success, *((t, Rate(9, 10)) for t in further))
    evidence = replace(backdoored.evidence[0], further=further)
    several = replace(backdoored, evidence=(evidence,), evaluation=replace(backdoored.evaluation, attack_success=rates))
    files = contents(several)[1]
    contract = contract_of(several, write_artifacts(several, tmp_path))
    pictures = Gallery(files, set()).of(contract, contract.evidence[0], "trigger")
    assert [p.about for p in pictures] == [7, 7]
    assert "trigger 1 of several" in pictures[1].words
