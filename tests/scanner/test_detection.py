from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from onnxray.converters import Parity
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.detection import detect, plan, resolve_device
from onnxray.scanner.detectors import Budget, Detector, Needs
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.errors import OptionError
from onnxray.scanner.findings import Evidence, Skipped
from onnxray.scanner.ledger import Ledger
from onnxray.scanner.samples import Samples

MODEL: Any = SimpleNamespace(classes=3)
SAMPLES: Any = np.zeros(10)  # only its length is asked for


TWIN = Parity(0.0, 1.0, 1.0, 48, 1e-3)
TREES = Parity(0.0, 1.0, 1.0, 48, 1e-3, surrogates=("TreeEnsembleClassifier (soft)",))


@dataclass(frozen=True, kw_only=True)
class Fake(Detector):
    """Does what the test wants."""

    needs: ClassVar[Needs] = Needs.SAMPLES | Needs.GRADIENTS
    min_samples: ClassVar[int] = 5

    error: type[BaseException] | None = None
    complete: bool = True

    def run(self, model: Any, samples: Any, budget: Budget) -> Iterator[Evidence]:
        if self.error:
            raise self.error("it broke\nin two lines")
        yield Evidence("fake", (0.1, 0.2, 0.3), "size", details={"complete": self.complete})


def run(detector: Detector, samples: Any = SAMPLES, parity: Parity | None = TWIN) -> tuple[list[Evidence], Ledger]:
    ledger = Ledger(lambda text, fraction: None)
    return detect({"fake": detector}, MODEL, samples, parity, "cpu", ScanOptions(), ledger), ledger


def test_what_ran_is_told() -> None:
    evidence, ledger = run(Fake())
    assert len(evidence) == 1
    assert ledger.ran == ["fake"]


@pytest.mark.parametrize(
    ("samples", "parity", "why"), [(None, TWIN, "domain"), (SAMPLES, None, "twin"), (np.zeros(4), TWIN, "needs 5")]
)
def test_a_detector_without_what_it_needs_is_skipped_with_the_reason(
    samples: Any, parity: Parity | None, why: str
) -> None:
    evidence, ledger = run(Fake(), samples, parity)
    assert not evidence
    assert why in ledger.skipped[0].why


@pytest.mark.parametrize("error", [RuntimeError, KeyError, AttributeError, MemoryError])
def test_a_detector_that_breaks_is_a_failure_in_one_line(error: type[Exception]) -> None:
    evidence, ledger = run(Fake(error=error))
    assert not evidence
    assert ledger.failures[0].why.startswith(f"{error.__name__}: ")
    assert "\n" not in ledger.failures[0].why
    assert ledger.failures[0].trace.startswith("Traceback")
    assert "in run" in ledger.failures[0].trace


def test_ctrl_c_is_not_a_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Fake(error=KeyboardInterrupt))


@dataclass(frozen=True, kw_only=True)
class Idle(Fake):
    """Finds nothing that it could look at."""

    def run(self, model: Any, samples: Any, budget: Budget) -> Iterator[Evidence]:
        yield Evidence("fake", (nan, nan, nan), "size", details={"not_checked": "made for pairs", "complete": False})


def test_a_detector_that_had_nothing_to_look_at_is_not_told_as_checked() -> None:
    evidence, ledger = run(Idle())
    assert not evidence
    assert ledger.skipped == [Skipped("fake", "made for pairs", due=False)]
    assert not ledger.ran
    assert not ledger.failures


@dataclass(frozen=True, kw_only=True)
class Comparing(Fake):
    """Holds the model against small networks trained on the samples."""

    needs: ClassVar[Needs] = Needs.SAMPLES | Needs.SURROGATES


@pytest.mark.parametrize(("classes", "each", "due"), [(3, 2, True), (31, 6, False)])
def test_want_of_pictures_to_compare_with_is_due_and_a_model_of_many_classes_is_not(
    classes: int, each: int, due: bool
) -> None:
    labels = np.repeat(np.arange(classes), each)
    images = np.zeros((len(labels), 1, 8, 8), np.float32)
    known = Samples(images, labels, InputDomain("[0, 1]", "NCHW", 1, 8, 8))
    ledger = Ledger(lambda text, fraction: None)
    model: Any = SimpleNamespace(classes=classes)
    assert not detect({"fake": Comparing()}, model, SAMPLES, TWIN, "cpu", ScanOptions(), ledger, known=known)
    assert [(s.check, s.due) for s in ledger.skipped] == [("fake", due)]
    assert ("--data" in ledger.skipped[0].why) == due


def test_a_detector_that_ran_out_of_time_has_failed_and_its_evidence_is_kept() -> None:
    evidence, ledger = run(Fake(complete=False))
    assert len(evidence) == 1
    assert "stopped" in ledger.failures[0].why


@dataclass(frozen=True, kw_only=True)
class Understudy(Fake):
    """Stands in for Fake."""

    needs: ClassVar[Needs] = Needs.SAMPLES
    stands_in: ClassVar[bool] = True


@pytest.mark.parametrize(
    ("named", "parity", "lead", "due"),
    [
        pytest.param((), TWIN, Fake(), False, id="gradients are there"),
        pytest.param((), None, Fake(), True, id="no twin"),
        pytest.param((), TREES, Fake(), True, id="gradients of smoothed decisions"),
        pytest.param((), TWIN, Fake(error=RuntimeError), True, id="what needs gradients breaks"),
        pytest.param(("understudy",), TWIN, Fake(), True, id="asked for by name"),
    ],
)
def test_a_stand_in_runs_where_it_is_needed_or_named(
    named: tuple[str, ...], parity: Parity | None, lead: Fake, due: bool
) -> None:
    ledger = Ledger(lambda text, fraction: None)
    detectors = {"understudy": Understudy(), "fake": lead}
    detect(detectors, MODEL, SAMPLES, parity, "cpu", ScanOptions(detectors=named), ledger)
    assert ("understudy" in ledger.ran) is due
    assert ledger.tells("understudy") is due
    assert not any(skip.check == "understudy" for skip in ledger.skipped)


def test_a_stand_in_that_was_asked_for_beside_the_others_runs() -> None:
    ledger = Ledger(lambda text, fraction: None)
    detectors = {"understudy": Understudy(), "fake": Fake()}
    detect(detectors, MODEL, SAMPLES, TWIN, "cpu", ScanOptions(also=("understudy",)), ledger)
    assert ledger.ran == ["fake", "understudy"]


def test_without_memory_on_the_gpu_a_detector_starts_again_on_the_cpu_and_says_so() -> None:
    moved: list[str] = []

    @dataclass(frozen=True, kw_only=True)
    class Large(Fake):
        def run(self, model: Any, samples: Any, budget: Budget) -> Iterator[Evidence]:
            if budget.device == "cuda":
                raise torch.OutOfMemoryError("CUDA out of memory")
            yield Evidence("fake", (), "", details={"own": 1})

    class Twin:
        def to(self, device: str) -> "Twin":
            moved.append(device)
            return self

    model: Any = SimpleNamespace(classes=3, torch=Twin())
    ledger = Ledger(lambda text, fraction: None)
    (evidence,) = detect({"fake": Large()}, model, SAMPLES, TWIN, "cuda", ScanOptions(), ledger)
    assert evidence.details == {"own": 1, "device": "cpu, as the memory of cuda is too small"}
    assert moved == ["cpu", "cuda"]
    assert ledger.ran == ["fake"]


def test_without_memory_on_the_cpu_it_has_failed() -> None:
    evidence, ledger = run(Fake(error=torch.OutOfMemoryError))
    assert not evidence
    assert "OutOfMemoryError" in ledger.failures[0].why


def test_the_time_counts_from_the_start_of_the_scan() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Clock(Fake):
        def run(self, model: Any, samples: Any, budget: Budget) -> Iterator[Evidence]:
            yield Evidence("fake", (), "", details={"deadline": budget.deadline})

    ledger = Ledger(lambda text, fraction: None, started=1000.0)
    (evidence,) = detect({"fake": Clock()}, MODEL, SAMPLES, TWIN, "cpu", ScanOptions(max_seconds=5), ledger)
    assert evidence.details["deadline"] == 1005.0


def test_all_detectors_run_unless_some_are_chosen() -> None:
    assert "neural-cleanse" in plan(ScanOptions())
    chosen = plan(ScanOptions(detectors=("neural-cleanse",), settings={"neural-cleanse": {"steps": "7"}}))
    assert chosen["neural-cleanse"].steps == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ScanOptions(detectors=("neural-clense",)), "no detector 'neural-clense'"),
        (ScanOptions(settings={"nobody": {"a": 1}}), "no detector 'nobody'"),
        (ScanOptions(settings={"neural-cleanse": {"stepps": 1}}), "no option"),
        (ScanOptions(settings={"neural-cleanse": {"seeds": "1"}}), "expected seeds of at least 2, got 1"),
        (ScanOptions(settings={"neural-cleanse": {"asr": "1.5"}}), "expected asr of at most 1"),
        (ScanOptions(settings={"neural-cleanse": {"seeds": "1000000"}}), "expected seeds of at most 100, got 1000000"),
        (ScanOptions(settings={"neural-cleanse": {"steps": "100000000"}}), "expected steps of at most 100000"),
        (ScanOptions(settings={"patch-search": {"offspring": "0"}}), "expected offspring of at least 1, got 0"),
        (ScanOptions(max_seconds=float("nan")), "expected max_seconds above 0, got nan"),
    ],
)
def test_wrong_names_are_refused(options: ScanOptions, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        plan(options)


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(OptionError, match="--device cpu"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cuda"


def test_a_method_that_nominates_runs_first_is_told_last_and_leaves_the_stand_in_due() -> None:
    seen: list[tuple[int, ...]] = []

    @dataclass(frozen=True, kw_only=True)
    class Nominator(Fake):
        nominates: ClassVar[bool] = True

        def run(self, model: Any, samples: Any, budget: Budget) -> Iterator[Evidence]:
            yield Evidence("nominator", (0.1, 0.2, 0.3), "size", (2, 0))

    @dataclass(frozen=True, kw_only=True)
    class Search(Fake):
        def run(self, model: Any, samples: Any, budget: Budget) -> Iterator[Evidence]:
            seen.append(budget.nominated)
            yield from super().run(model, samples, budget)

    def of(lead: Fake) -> tuple[list[str], list[str]]:
        ledger = Ledger(lambda text, fraction: None)
        detectors = {"fake": lead, "nominator": Nominator(), "understudy": Understudy()}
        found = detect(detectors, MODEL, SAMPLES, TWIN, "cpu", ScanOptions(), ledger)
        return [e.detector for e in found], ledger.ran

    assert of(Search()) == (["fake", "nominator"], ["nominator", "fake"])
    assert seen == [(2, 0)]
    assert "understudy" in of(Fake(error=RuntimeError))[1]
