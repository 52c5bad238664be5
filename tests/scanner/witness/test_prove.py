"""Gates put to the proof in onnxruntime, and held silent."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from time import monotonic

import numpy as np
import onnx
import pytest
from onnx import ModelProto
from onnxray.converters import open_model
from onnxray.converters.edited import run_graph
from onnxray.converters.probe import Probe, frozen, opened
from onnxray.models.bundled_files import bundled
from onnxray.models.graph_backdoors import TARGET, Site, stamp
from onnxray.models.graph_backdoors.corpus import base, corpus, pictures
from onnxray.models.graph_nodes import Nodes
from onnxray.scanner.assumed_domain import no_samples
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.images import load_images
from onnxray.scanner.samples import Samples
from onnxray.scanner.witness.prove import gates_of, prove

CASES = {case.name: case for case in corpus()}
KINDS = ("where", "sum-threshold", "cast-to-int", "if", "attribute-default", "batch-scatter", "ramp", "into-features")


@cache
def samples() -> Samples:
    images = load_images(bundled("samples.npz"), limit=60)
    return Samples(pictures()[:60], np.asarray(images.labels[:60]), InputDomain("[0, 1]", "NCHW", 1, 28, 28))


def blanked(original: ModelProto) -> ModelProto:
    """Where the trigger is there, the network sees a black picture."""
    model = ModelProto()
    model.CopyFrom(original)
    network, image = list(model.graph.node), model.graph.input[0].name
    del model.graph.node[:]
    site = Site(Nodes(model), image, "", "", 10)
    shown = site.add("Less", site.distance(), site.number(0.01))
    seen = site.add("Where", site.add("Reshape", shown, site.whole(-1, 1, 1, 1)), site.number(0), image)
    for node in network:
        node.input[:] = [seen if name == image else name for name in node.input]
    model.graph.node.extend(network)
    return model


def written(name: str, folder: Path) -> Path:
    onnx.save(CASES[name].make(base()), path := folder / f"{name}.onnx")
    return path


@pytest.mark.parametrize("name", KINDS)
def test_a_gate_is_proven_by_a_picture_that_makes_it_fire(name: str, tmp_path: Path) -> None:
    model = open_model(written(name, tmp_path), threads=1)
    proven = [proof for proof in prove(model, samples()) if proof.witness]
    assert proven
    for proof in proven:
        witness = proof.witness
        assert witness is not None
        assert proof.silent
        assert proof.unchanged
        assert witness.class_after == TARGET != witness.class_before
        assert model.predict(witness.input[None])[0] == TARGET
        assert model.predict(samples().domain.to_input(witness.before[None]))[0] == witness.class_before
        np.testing.assert_array_equal(np.rint(witness.picture * 255), (witness.picture * 255).round(3))
        assert 0 < witness.pixels == (witness.picture != witness.before).any(0).sum() <= 9


def test_without_pictures_noise_does(tmp_path: Path) -> None:
    model = open_model(written("where", tmp_path), threads=1)
    (proof,) = prove(model, no_samples(model))
    assert proof.natural == 0
    assert proof.witness is not None
    assert proof.witness.class_after == TARGET


def test_a_time_that_is_up_gives_no_witness_and_says_so(tmp_path: Path) -> None:
    model = open_model(written("where", tmp_path), threads=1)
    (proof,) = prove(model, samples(), deadline=0.0)
    assert proof.witness is None
    assert proof.why
    assert "no input was found" in proof.words


@pytest.mark.parametrize("name", ["hard-swish", "attention-mask", "squeeze-excite", "residual-of-rounded"])
def test_there_is_nothing_to_prove_in_a_harmless_twin(name: str, tmp_path: Path) -> None:
    model = open_model(written(name, tmp_path), threads=1)
    assert gates_of(model) == []
    assert list(prove(model, samples())) == []


def test_a_check_of_the_pictures_range_is_put_to_the_proof_and_acquitted(tmp_path: Path) -> None:
    model = open_model(written("range-check", tmp_path), threads=1)
    (proof,) = prove(model, samples(), deadline=monotonic() + 3)
    assert not proof.serious
    assert not proof.convicts


def test_a_gate_in_front_of_the_network_is_proven_though_it_is_a_note_to_the_audit(tmp_path: Path) -> None:
    onnx.save(blanked(base()), path := tmp_path / "blank.onnx")
    (proof,) = prove(open_model(path, threads=1), samples())
    assert not proof.serious
    assert proof.convicts


def test_a_frozen_tensor_keeps_its_shape_and_loses_its_values(tmp_path: Path) -> None:
    model = open_model(written("where", tmp_path), threads=1)
    graph = frozen(opened(model), {"/Less_output_0": np.array([[False]])})
    images = pictures()[:8]
    session = run_graph(model, graph)
    np.testing.assert_array_equal(session.run(images), model.run(images))
    assert (model.predict(stamp(images)) == TARGET).all()
    assert (session.run(stamp(images)).argmax(1) == model.predict(images)).all()


def test_a_probe_gives_tensors_inside_the_graph_row_by_row(tmp_path: Path) -> None:
    model = open_model(written("where", tmp_path), threads=1)
    probe = Probe(model, opened(model), ["/Less_output_0", "/Abs_output_0"])
    seen = probe.run(np.concatenate([pictures()[:2], stamp(pictures()[:1])]))
    assert seen["/Abs_output_0"].shape == (3, 9)
    np.testing.assert_array_equal(seen["/Less_output_0"][:, 0], [False, False, True])
