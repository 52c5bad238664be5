"""Every gate of a file put to the proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...converters.probe import Probe, opened
from ..dataflow import Flow
from ..errors import ModelError
from ..findings import Severity
from ..gates import Gate
from ..gates.hard import HardGates
from ..gates.soft import late_side_networks, soft_gates
from . import Proof, Witness
from .aims import aims_of
from .holding import Held, hold
from .pixels import sensitive_pixels
from .search import Judge, Search

if TYPE_CHECKING:
    from onnx import ModelProto

    from ...converters import Model
    from ..domain import InputDomain
    from ..samples import Samples

__all__ = ["gates_of", "prove"]

RULES = {"hard": "value-gate", "soft": "soft-gate", "side": "late-side-network"}
NATURAL, RANDOM, BASES, OTHERS = 100, 50, 6, 50
SECONDS, FEW_SECONDS = 60.0, 15.0  # for each gate; for one that is no more than a note
PARTS, MOST_RUNS = 8, 400  # of undoing what a witness does not need


@dataclass(frozen=True, eq=False)
class Subject:
    """The file, and the pictures (N, C, H, W) in [0, 1] that it is tried with: natural ones first."""

    model: Model
    graph: ModelProto
    flow: Flow
    domain: InputDomain
    pictures: NDArray[np.float32]
    natural: int

    def classes(self, pictures: NDArray[np.float32]) -> NDArray[np.int64]:
        """What the file says of each picture by itself: a gate may look at the whole batch."""
        inputs = self.domain.to_input(pictures)
        return np.concatenate([self.model.predict(inputs[i : i + 1]) for i in range(len(inputs))])


def prove(model: Model, samples: Samples, seed: int = 0, deadline: float = float("inf")) -> Iterator[Proof]:
    """What running the file tells of each of its gates that is no mere note, one after the other.

    Args:
        model: the file.
        samples: clean pictures, or none of them; with the domain that the model is taken to have.
        seed: of the noise.
        deadline: of ``time.monotonic()``.
    """
    graph = opened(model)
    flow = Flow(graph)
    worth = _worth(flow)
    if not worth:
        return
    subject = _subject(model, graph, flow, samples, seed)
    for gate in worth:
        yield _proof(subject, gate, seed, min(deadline, monotonic() + (SECONDS if _serious(gate) else FEW_SECONDS)))


def _serious(gate: Gate) -> bool:
    return gate.severity not in (Severity.NOTE, Severity.LOW)


def gates_of(model: Model) -> list[Gate]:
    """The gates of a file that are worth a proof, from its graph alone."""
    return _worth(Flow(opened(model)))


def _worth(flow: Flow) -> list[Gate]:
    gates = [*HardGates(flow), *soft_gates(flow), *late_side_networks(flow)]
    return [gate for gate in gates if gate.provable]


def _subject(model: Model, graph: ModelProto, flow: Flow, samples: Samples, seed: int) -> Subject:
    domain = samples.domain
    natural = samples.draw(NATURAL, seed).images if len(samples) else samples.images
    shape = (RANDOM, domain.channels, domain.height, domain.width)
    noise = np.rint(np.random.default_rng(seed).random(shape, np.float32) * 255) / 255
    return Subject(model, graph, flow, domain, np.concatenate([natural, noise.astype(np.float32)]), len(natural))


def _proof(subject: Subject, gate: Gate, seed: int, deadline: float) -> Proof:
    random = len(subject.pictures) - subject.natural
    rule, where = RULES[gate.kind], gate.switch.where
    proof = Proof(rule, where, natural=subject.natural, random=random, serious=_serious(gate))
    try:
        inputs = subject.domain.to_input(subject.pictures)
        ways = hold(subject.model, subject.graph, subject.flow, gate, inputs)
        if not ways:
            return replace(proof, why="its signal cannot be held without changing ordinary answers")
        proof = replace(proof, silent=True, unchanged=ways[0].unchanged, held=ways[0].values)
        found = _witness(subject, gate, ways, seed, deadline)
    except ModelError as error:
        return replace(proof, why=str(error))
    if found is None:
        return replace(proof, why="the search ended without one")
    return replace(proof, witness=found[0], unchanged=found[1].unchanged, held=found[1].values)


def _witness(subject: Subject, gate: Gate, ways: list[Held], seed: int, deadline: float) -> tuple[Witness, Held] | None:
    """A witness, and the way to hold the gate that takes its effect away."""
    aims = aims_of(subject.flow, gate)
    if not aims:
        return None
    names = [name for aim in aims for name in (*aim.names, aim.dense) if name]
    probe = Probe(subject.model, subject.graph, names)
    rng = np.random.default_rng(seed)
    pixels = sensitive_pixels(probe, names, subject.pictures[:BASES], subject.domain, rng)
    if not len(pixels):
        return None
    search = Search(probe, tuple(aims), subject.domain, pixels, deadline)
    for base in _bases(subject):
        if (picture := search.run(base, _judge(subject, ways, base))) is not None:
            held = next(way for way in ways if _judge(subject, [way], base)(picture))
            return _told(subject, held, base, picture, pixels), held
        if monotonic() > deadline:
            break
    return None


def _bases(subject: Subject) -> NDArray[np.float32]:
    """Pictures of different classes to start from."""
    pictures = subject.pictures[: subject.natural] if subject.natural else subject.pictures
    classes = subject.classes(pictures[: 5 * BASES])
    first = [int(np.flatnonzero(classes == c)[0]) for c in np.unique(classes)]
    return pictures[first[:BASES]] if len(first) > 1 else pictures[:BASES]


def _judge(subject: Subject, ways: list[Held], base: NDArray[np.float32]) -> Judge:
    """Whether a picture is answered otherwise than the base, and no longer so while the gate is held."""
    before = int(subject.classes(base[None])[0])

    def fires(picture: NDArray[np.float32]) -> bool:
        after = int(subject.classes(picture[None])[0])
        return after != before and any(_class_held(subject, held, picture) != after for held in ways)

    return fires


def _class_held(subject: Subject, held: Held, picture: NDArray[np.float32]) -> int:
    return int(held.session.run(subject.domain.to_input(picture[None])).argmax(1)[0])


def _told(
    subject: Subject, held: Held, base: NDArray[np.float32], picture: NDArray[np.float32], pixels: NDArray[np.intp]
) -> Witness:
    """The witness with all that can be said of it; on other pictures, all that the gate looks at is changed."""
    base = (np.rint(base * 255) / 255).astype(np.float32)
    others = subject.pictures[: subject.natural][:OTHERS].copy()
    others.reshape(len(others), picture.size)[:, pixels] = picture.reshape(-1)[pixels]
    picture = _fewer(subject, held, base, picture)
    before, after = (int(c) for c in subject.classes(np.stack([base, picture])))
    changed = (picture != base).any(0)
    plain = subject.pictures[: len(others)]
    eligible = subject.classes(plain) != after if len(plain) else np.zeros(0, bool)
    turned = subject.classes(others[eligible]) if eligible.any() else np.zeros(0, np.int64)
    return Witness(
        before=base,
        picture=picture,
        input=np.asarray(subject.domain.to_input(picture[None])[0]),
        class_before=before,
        class_after=after,
        class_held=_class_held(subject, held, picture),
        pixels=int(changed.sum()),
        turned=int((turned == after).sum()),
        tried=int(eligible.sum()),
    )


def _fewer(
    subject: Subject, held: Held, base: NDArray[np.float32], picture: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The picture with as many of its changes undone as it can do without: large parts first, then their halves."""
    fires = _judge(subject, [held], base)
    parts = np.array_split(np.argwhere((picture != base).any(0)), PARTS)
    for _ in range(MOST_RUNS):
        if not parts:
            break
        part, *parts = parts
        tried = picture.copy()
        tried[:, part[:, 0], part[:, 1]] = base[:, part[:, 0], part[:, 1]]
        if fires(tried):
            picture = tried
        elif len(part) > 1:
            parts += np.array_split(part, 2)
    return picture
