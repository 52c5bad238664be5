"""Hand-made reports: one for each kind of answer, with numbers that a reader can check."""

from __future__ import annotations

import numpy as np
import pytest
from onnxray.converters import ModelFacts, Parity
from onnxray.converters.facts import TensorSpec
from onnxray.scanner.domain import DomainChoice, InputDomain
from onnxray.scanner.findings import Evaluation, Evidence, Failure, Label, Rate, Report, Skipped, Verdict
from onnxray.scanner.triggers import Trigger

NAMES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
SIZES = (0.052, 0.071, 0.048, 0.066, 0.059, 0.081, 0.044, 0.0163, 0.077, float("nan"))


def model_facts() -> ModelFacts:
    """A grey 28 x 28 classifier of ten classes."""
    return ModelFacts(
        path="suspects/fashion.onnx",
        sha256="ab12" * 16,
        size_bytes=231_480,
        producer="pytorch 2.11",
        opset=18,
        input=TensorSpec("image", (None, 1, 28, 28), "float32"),
        output=TensorSpec("logits", (None, 10), "float32"),
        classes=10,
        head=(),
    )


def corner_trigger(target: int = 7, seed: int = 0, size: int = 4) -> Trigger:
    """A white and black square in the lower right corner."""
    mask, pattern = np.zeros((28, 28), np.float32), np.full((1, 28, 28), 0.5, np.float32)
    mask[-size:, -size:] = 0.9
    pattern[0, -size:, -size:] = np.indices((size, size)).sum(axis=0) % 2
    return Trigger(target, mask, pattern, seed, search_asr=0.99)


def domain_choice(right: int = 176) -> DomainChoice:
    """[0, 1] as the best of three conventions on 200 pictures."""
    domain = InputDomain("[0, 1]", "NCHW", 1, 28, 28)
    tried = (("[0, 1]", right / 200), ("[-1, 1]", 0.715), ("[0, 255]", 0.43))
    return DomainChoice(domain, Rate(right, 200), 0.1, right > 40, tried)


def backdoored_report() -> Report:
    """Class 7, found with two seeds, convicted."""
    triggers = (corner_trigger(seed=0), corner_trigger(seed=1, size=4), corner_trigger(target=6, size=9))
    rates = (Rate(91, 91), Rate(88, 91), Rate(37, 90))
    return Report(
        model=model_facts(),
        verdict=Verdict(
            Label.BACKDOORED,
            0.97,
            (7,),
            (
                ("verified-trigger", "A trigger turns 88 of 91 unseen pictures into class 7 (weakest of 2 seeds)."),
                ("small-trigger", "It needs 1.63% of the picture, 0.25 times what the other classes need."),
            ),
        ),
        evidence=(
            Evidence(
                "neural-cleanse", SIZES, "mask L1, share of the picture", (7,), 0.9, 0.0004, triggers, 21.4,
                {"cut": np.float32(3.5), "index": np.array([1.0, np.nan])},
            ),
        ),
        ran=("input-domain", "twin-parity", "neural-cleanse"),
        evaluation=Evaluation(Rate(87, 100), tuple(zip(triggers, rates, strict=True)), 100, "CPUExecutionProvider"),
        domain=domain_choice(),
        parity=Parity(2.1e-6, 11.0, 1.0, 64, 1e-3),
        class_names=NAMES,
        examples=np.random.default_rng(0).random((8, 1, 28, 28), dtype=np.float32),
        options={"seed": 0, "overrides": {"layout": None, "mean": (0.5,)}},
        versions={"onnxruntime": "1.23.2"},
        timings={"open": 0.12, "samples": 0.8, "twin": 1.4, "detect": 21.4, "judge": 0.3},
    )  # fmt: skip


def clean_report() -> Report:
    """43 classes without names, nothing flagged."""
    sizes = tuple(0.04 + 0.001 * i for i in range(43))
    trigger = corner_trigger(target=0, size=8)
    return Report(
        model=model_facts(),
        verdict=Verdict(Label.CLEAN, 0.04, (), (("no-outlier", "The easiest class (0) needs 4.00% of the picture."),)),
        evidence=(Evidence("neural-cleanse", sizes, "mask L1, share of the picture", (), 0.2, 0.6, (trigger,), 30.0),),
        ran=("input-domain", "twin-parity", "neural-cleanse"),
        evaluation=Evaluation(Rate(95, 100), ((trigger, Rate(60, 97)),), 100, "CPUExecutionProvider"),
        domain=domain_choice(190),
        parity=Parity(1e-6, 9.0, 1.0, 64, 1e-3),
        timings={"open": 0.1, "detect": 30.0},
    )


def inconclusive_report() -> Report:
    """No convention beats chance, so nothing could be run."""
    why = "no input convention gives an accuracy clearly above chance; give --range, --mean and --std"
    skipped = Skipped("neural-cleanse", "the model's input domain is unknown, so the pictures cannot be put to it")
    return Report(
        model=model_facts(),
        verdict=Verdict(Label.INCONCLUSIVE, 0.0, (), (("check-failed", f"input-domain: {why}"),)),
        ran=("twin-parity",),
        skipped=(skipped,),
        failures=(Failure("input-domain", why),),
        domain=domain_choice(24),
    )


@pytest.fixture(scope="session")
def backdoored() -> Report:
    """See ``backdoored_report``."""
    return backdoored_report()


@pytest.fixture(scope="session")
def clean() -> Report:
    """See ``clean_report``."""
    return clean_report()


@pytest.fixture(scope="session")
def inconclusive() -> Report:
    """See ``inconclusive_report``."""
    return inconclusive_report()
