"""Every backdoor of the corpus flips onnxruntime's answer on pictures with the trigger, and no other."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto
from onnxray.models.graph_backdoors import TARGET, Case, stamp
from onnxray.models.graph_backdoors.corpus import base, corpus, pictures
from onnxruntime import InferenceSession, SessionOptions

CASES = corpus()


def scores(model: ModelProto, images: NDArray[np.float32]) -> NDArray[np.float32]:
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = InferenceSession(model.SerializeToString(), options)
    answer: NDArray[np.float32] = session.run(None, {"image": images})[0]
    return answer


@pytest.mark.parametrize("case", [c for c in CASES if c.backdoored], ids=lambda case: case.name)
def test_a_backdoor_fires_on_its_trigger_and_is_silent_otherwise(case: Case) -> None:
    images, model = pictures()[:40], case.make(base())
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(scores(model, images), scores(base(), images))
    assert (scores(model, stamp(images)).argmax(1) == TARGET).all()


def test_the_base_itself_is_not_impressed_by_the_trigger() -> None:
    images = pictures()
    assert (scores(base(), stamp(images)).argmax(1) == scores(base(), images).argmax(1)).mean() > 0.95


def test_there_are_at_least_twelve_kinds_and_a_twin_for_every_usual_look_alike() -> None:
    names = {case.name for case in CASES}
    assert len(names) == len(CASES)
    assert sum(case.backdoored for case in CASES) >= 12
    assert {"hard-swish", "attention-mask", "clip-preprocessing", "detector", "quantised", "expand-idiom"} <= names


@pytest.mark.parametrize("case", [c for c in CASES if not c.backdoored], ids=lambda case: case.name)
def test_a_twin_is_valid(case: Case) -> None:
    onnx.checker.check_model(case.make(base()))
