"""What one scanner said of one model: a file for each, written as soon as it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isnan
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import msgspec

from ...converters.messages import one_line
from ...converters.whole_file import replace_file
from ...scanner.errors import SamplesError
from ..zoo.build import truth_of

__all__ = ["OURS", "Record", "Subject", "kept", "read_all", "read_json", "told", "write_json"]

OURS = "onnxray"
SCHEMA = "onnxray/benchmark-record/1"
T = TypeVar("T")
Status = Literal["done", "does-not-apply", "failed"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model of the zoo, and what is true of it.

    Attributes:
        attack: its name; "" for a clean model.
        targets: the classes that the attack aims at.
        attack_success: in [0, 1]; None for a clean model.
        layout: of pictures, whose values are in [0, 1].
    """

    name: str
    sha256: str
    part: str
    dataset: str
    network: str
    network_options: dict[str, Any] = field(default_factory=dict)
    attack: str = ""
    attack_options: dict[str, Any] = field(default_factory=dict)
    rate: float = 0.0
    trojaned: bool = False
    targets: tuple[int, ...] = ()
    attack_success: float | None = None
    clean_accuracy: float = 0.0
    layout: str = "NCHW"

    @classmethod
    def read(cls, place: Path) -> Self:
        """What ``truth.json`` says of the model in this folder.

        Raises:
            SamplesError: it cannot be read, or is none of the zoo's.
        """
        try:
            truth = truth_of(place)
            recipe, attack = truth["recipe"], truth["recipe"]["attack"]
            success = truth["attack_success"]
            return cls(
                name=truth["name"],
                sha256=truth["sha256"],
                part=truth["part"],
                dataset=recipe["dataset"],
                network=recipe["network"]["name"],
                network_options=dict(recipe["network"]["options"]),
                attack=attack["name"] if attack else "",
                attack_options=dict(attack["options"]) if attack else {},
                rate=recipe["rate"],
                trojaned=truth["trojaned"],
                targets=tuple(truth["targets"]),
                attack_success=success["value"] if success else None,
                clean_accuracy=truth["clean_accuracy"]["value"],
                layout=recipe["export"]["layout"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = one_line(f"{type(error).__name__}: {error}", 200)
            raise SamplesError(f"{place / 'truth.json'}: not of the zoo ({what}); remove it and build again") from None

    def facts(self) -> dict[str, Any]:
        """The fields by name, for a record of this model."""
        return {f.name: getattr(self, f.name) for f in fields(Subject)}


@dataclass(frozen=True, kw_only=True)
class Record(Subject):
    """What was found in one model with some number of clean samples.

    Attributes:
        who: "onnxray" or a peer's id.
        classes: K; 0 if the file could not be opened.
        samples: clean samples asked for; 0 for a scan without any.
        samples_used: as many as there were.
        status: "does-not-apply" for an input that the method is not made for, "failed" where it broke.
        label: ours: the verdict; peers: "flagged" or "clean"; "inconclusive" unless the status is "done".
        score: how suspicious the model is; ours in [0, 1] as the verdict told it, a peer's only ranks.
        named: the classes that the answer accuses.
        best: the most suspicious class, flagged or not; None if nothing was measured.
        flagged: ours: suspicious or backdoored; peers: by their own rule.
        convicted: ours: backdoored.
        seconds: wall time of the whole scan; ``timings``: of its stages.
        reasons: codes of the verdict's reasons.
        signals: ours: ``scanner.signals``, name -> a value for each class, None where it was not measured.
        note: ours: the input domain that was found; what a peer says of itself.
        config: of everything that is set; with the version and the model's hash it makes a record out of date.
    """

    who: str
    classes: int = 0
    samples: int
    samples_used: int = 0
    status: Status = "done"
    label: str = "inconclusive"
    score: float = 0.0
    named: tuple[int, ...] = ()
    best: int | None = None
    flagged: bool = False
    convicted: bool = False
    seconds: float = 0.0
    timings: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    signals: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    note: str = ""
    error: str = ""
    version: str = ""
    config: str = ""
    schema: str = SCHEMA


def told(signals: Mapping[str, Sequence[float]]) -> dict[str, tuple[float | None, ...]]:
    """Signals as JSON has them: None for NaN."""
    return {name: tuple(None if isnan(v) else float(v) for v in values) for name, values in signals.items()}


def write_json(value: Any, path: Path) -> None:
    """Give a file its whole content in one step, indented; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, [msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"])


def read_json(path: Path, kind: type[T]) -> T:
    """What ``write_json`` wrote.

    Raises:
        SamplesError: it cannot be read, or is something else; the message says what to do.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise SamplesError(
            f"{path}: not a record of this benchmark ({one_line(error, 200)}); remove it and run the benchmark again"
        ) from None


def read_all(folder: Path, kind: type[T]) -> list[T]:
    """The records in FOLDER/*/*/*.json, by path; there may be none.

    Raises:
        SamplesError: one is damaged.
    """
    paths = sorted(folder.glob("*/*/*.json"))
    return [read_json(path, kind) for path in paths if not path.name.startswith(".")]


def kept(path: Path, wanted: T) -> T | None:
    """The record that is there, if it is of the same file, version and settings as the one that is wanted.

    Raises:
        SamplesError: it is damaged.
    """
    if not path.exists():
        return None
    record = read_json(path, type(wanted))
    same = all(getattr(record, name) == getattr(wanted, name) for name in ("sha256", "version", "config"))
    return record if same else None
