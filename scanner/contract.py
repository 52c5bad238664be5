"""The JSON contract ``onnxray/report/1``: one class an object; ``report.schema.json`` is generated from it.

After a change here run ``python -m onnxray.scanner.contract``, which writes the schema anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from .findings import Label, Severity

__all__ = ["LIMITS", "Contract", "decode", "encode", "write_schema"]

SCHEMA_FILE = Path(__file__).parent / "reports" / "report.schema.json"
LIMITS = "No scan can prove that a model has no backdoor: this report says what these checks found, nothing more."

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Class = Annotated[int, Meta(ge=0, description="index of an output class")]
Seconds = Annotated[float, Meta(ge=0)]
# A number that was not obtained is null: JSON has no NaN.
Number = float | None


class Tool(Struct, frozen=True):
    """The program that wrote the report."""

    name: Literal["onnxray"]
    version: str


class TriedConvention(Struct, frozen=True):
    """An input convention that was tried, with its clean accuracy."""

    name: str
    accuracy: Share


class Preprocessing(Struct, frozen=True):
    """How an image in [0, 1] becomes the model's input: (image * scale - mean) / std, and how that was settled."""

    name: str
    scale: float
    mean: list[float]
    std: list[float]
    bgr: bool
    how: Annotated[str, Meta(description='"found", "given", or the file beside the model that said so')]
    accuracy: Share
    chance: Annotated[Share, Meta(description="accuracy of always answering the commonest label")]
    beats_chance: bool
    margin: Annotated[float, Meta(ge=-1, le=1, description="accuracy above the next best convention")]
    tried: list[TriedConvention]


class Input(Struct, frozen=True):
    """The model's input; null where it could not be found out."""

    name: str
    shape: Annotated[list[int | None], Meta(description="null for a free axis")]
    layout: str | None
    range: Annotated[tuple[float, float] | None, Meta(description="smallest and largest value of an image")]
    dtype: str
    preprocessing: Preprocessing | None


class Model(Struct, frozen=True):
    """The file that was scanned; ``sha256`` is its identity."""

    path: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    bytes: Count
    producer: str
    opset: Count
    classes: Count
    input: Input
    class_names: Annotated[list[str], Meta(description="by index; empty if unknown")]
    converted: Annotated[str, Meta(description="from what and by whom, for a file of another framework; else empty")]


class Verdict(Struct, frozen=True):
    """The decision; ``explanations`` has a sentence for each of ``reasons``."""

    label: Label
    score: Share
    targets: list[Class]
    reasons: list[str]
    explanations: list[str]


class PoisonedSamples(Struct, frozen=True):
    """Samples of the training set that carry one label and stand apart; ``artifacts`` of the evidence lists them."""

    target: Annotated[Class, Meta(description="the class that they are labelled as")]
    source: Annotated[Class, Meta(description="the class that most are given by a last layer that never saw them")]
    samples: Count
    labelled: Annotated[Count, Meta(description="samples with that label in all")]
    ratio: Annotated[Number, Meta(description="exclusionary reclassification, l / p; null where p is 0")]
    relative_size: Share
    silhouette: Annotated[float, Meta(ge=-1, le=1)]
    followed: Annotated[Share, Meta(description="of them, given their label by the model itself")]
    transplant: Annotated[Share | None, Meta(description="of other samples, turned into the target by what they share")]
    tokens: Annotated[list[str], Meta(description="that they share, where they are sentences")]


class Evidence(Struct, frozen=True):
    """What one detector measured; paths in ``artifacts`` are relative to the report's folder."""

    detector: str
    score: Share
    p_value: Share | None
    classes: Annotated[list[Number], Meta(description="the statistic of each class; null where there is none")]
    statistic: str
    controls: Annotated[
        list[Class], Meta(description="drawn at random to stand for all; empty where all were measured")
    ]
    flagged: list[Class]
    seconds: Seconds
    artifacts: dict[str, str]
    details: dict[str, Any]
    poisoned: list[PoisonedSamples]


class Finding(Struct, frozen=True):
    """One static observation about the file."""

    rule: str
    severity: Severity
    location: str
    message: str
    path: Annotated[list[str], Meta(description="nodes from the input to the effect; empty where there is no path")]


class Witness(Struct, frozen=True):
    """A picture that makes a gate fire: classes that onnxruntime gives the original file's answers.

    ``class_held`` is the answer to the same picture with the gate held silent; ``turned`` of ``tried`` other pictures
    get ``class_after`` with the same pixels changed.
    """

    class_before: Class
    class_after: Class
    class_held: Class
    pixels: Count
    turned: Count
    tried: Count


class Proof(Struct, frozen=True):
    """What running the file told of one gate; paths in ``artifacts`` are relative to the report's folder."""

    rule: str
    location: str
    silent: Annotated[bool, Meta(description="the same for every natural and random input, as far as answers show")]
    natural: Count
    random: Count
    unchanged: Annotated[bool, Meta(description="answers to all of them to the bit, with the gate held silent")]
    witness: Witness | None
    why: Annotated[str, Meta(description="what stood in the way of a witness")]
    artifacts: dict[str, str]


class Check(Struct, frozen=True):
    """A check that ran, was skipped, or broke."""

    check: str
    status: Literal["ran", "skipped", "failed"]
    why: str
    due: Annotated[
        bool, Meta(description="false for one skipped that is not made for such a model; only a due one forbids clean")
    ] = True

    @property
    def outcome(self) -> str:
        """The status in words: "ran", "skipped", "failed", or "not due"."""
        return "not due" if self.status == "skipped" and not self.due else self.status


class Attack(Struct, frozen=True):
    """One recovered trigger on held-out samples that the model does not already give its class."""

    target: Class
    seed: int
    hits: Count
    trials: Count
    mask_fraction: Annotated[Share, Meta(description="mask L1 as a share of the image's area")]
    mapping: Annotated[
        list[Class] | None,
        Meta(description="class that pictures of each class are moved to, for a trigger that moves every class"),
    ] = None

    @property
    def rate(self) -> float:
        """Share of the trials; 0 where there were none."""
        return self.hits / self.trials if self.trials else 0.0


class Evaluation(Struct, frozen=True):
    """Measured in onnxruntime on the original file with held-out samples.

    ``attack_success_rate`` is by class; for a class with several triggers it is the lowest. Triggers that move every
    class to one of its own are not in it, only among the ``attacks``, with their ``mapping``.
    """

    clean_accuracy: Share
    attack_success_rate: dict[Class, Share]
    samples: Count
    provider: str
    attacks: list[Attack]

    @property
    def moving(self) -> Attack | None:
        """Of the triggers that move every class, the one that does it least often; None where there is none."""
        return min((a for a in self.attacks if a.mapping is not None and a.trials), key=lambda a: a.rate, default=None)


class Parity(Struct, frozen=True):
    """The differentiable twin against onnxruntime, in logits."""

    max_difference: Number
    relative: Number
    agreement: Share
    inputs: Count
    tolerance: float
    moved: Annotated[Number, Meta(description="by onnxruntime's own optimisations, in the unit of relative")]
    surrogates: Annotated[list[str], Meta(description="operators whose gradient is not that of their values")]


class Contract(Struct, frozen=True):
    """One model's report."""

    schema: Literal["onnxray/report/1"]
    tool: Tool
    model: Model
    verdict: Verdict
    evidence: list[Evidence]
    findings: list[Finding]
    coverage: list[Check]
    evaluation: Evaluation | None
    timings: dict[str, Seconds]
    proofs: list[Proof]
    parity: Parity | None
    options: dict[str, Any]
    versions: dict[str, str]
    limits: str


def encode(contract: Struct | Mapping[str, Any], indent: int = 2) -> str:
    """A contract as JSON with keys in the contract's order; the same contract gives the same text.

    Control and direction characters beyond ASCII are escaped, so that printing the JSON cannot repaint a terminal.
    """
    text = msgspec.json.format(msgspec.json.encode(contract), indent=indent).decode()
    return re.sub("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", lambda m: f"\\u{ord(m[0]):04x}", text)


def decode(text: str | bytes) -> Contract:
    """A report that was written as JSON.

    Raises:
        msgspec.ValidationError: it does not follow ``onnxray/report/1``.
        msgspec.DecodeError: it is no JSON.
    """
    return msgspec.json.decode(text, type=Contract)


def schema() -> dict[str, Any]:
    """The JSON schema of the contract."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "onnxray/report/1",
        "title": "onnxray report",
    }
    return head | msgspec.json.schema(Contract)


def write_schema(path: Path = SCHEMA_FILE) -> None:
    """Write the schema file that is shipped with the package."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(schema())) + b"\n")


if __name__ == "__main__":
    write_schema()
