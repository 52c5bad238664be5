"""The files beside a report, each written in one step: a reader never sees half a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...converters.whole_file import replace_file
from ..contract import encode
from ..findings import Report
from ..triggers import Trigger
from . import Artifacts
from ._pictures import map_picture, mask_picture, overlay_picture, stamped_picture, trigger_picture
from ._poisoned import SAMPLES, clusters_picture, picture_name, samples_table
from ._translate import contract_of
from ._triggers import EVERY, further_triggers, shown_mover, shown_triggers
from ._witness import gate_name, witness_files

__all__ = ["OVER_SAMPLES", "PLACE", "contents", "write"]

PLACE = "-place"  # ends, with a number, the name of a trigger's files where a class has several triggers
OVER_SAMPLES = "-over-samples"  # ends the name of a map that is laid over pictures


def contents(report: Report) -> tuple[dict[str, dict[str, str]], dict[str, bytes]]:
    """The files that belong to a report: detector id -> name -> file, and file -> what is in it."""
    index: dict[str, dict[str, str]] = {}
    files: dict[str, bytes] = {}
    for who, name, file, content in _files(report, report.examples):
        index.setdefault(who, {})[name] = file
        files[file] = content
    return index, files


def write(report: Report, folder: Path) -> Artifacts:
    """See ``reports.write_artifacts``."""
    folder.mkdir(parents=True, exist_ok=True)
    index, files = contents(report)
    for file, content in files.items():
        replace_file(folder / file, [content])
    artifacts = Artifacts(folder, index)
    # Last, so that a report never names a file that is not there yet.
    replace_file(folder / "report.json", [encode(contract_of(report, artifacts)).encode(), b"\n"])
    return artifacts


def _files(report: Report, images: NDArray[np.float32] | None) -> Iterator[tuple[str, str, str, bytes]]:
    """For each file who it belongs to, under which name, the file's own name, and its content."""
    for target, (detector, trigger) in shown_triggers(report).items():
        for name, (suffix, content) in _contents(trigger, images).items():
            yield detector, f"{name}-class{target}", f"{name}-class{target}{suffix}", content
        for place, (finder, part, _) in enumerate(further_triggers(report, target), 1):
            for name, (suffix, content) in _contents(part, images).items():
                named = f"{name}-class{target}{PLACE}{place}"
                yield finder, named, f"{named}{suffix}", content
    if mover := shown_mover(report):
        for name, (suffix, content) in _contents(mover[1], images).items():
            yield mover[0], f"{name}{EVERY}", f"{name}{EVERY}{suffix}", content
    for evidence in report.evidence:
        for name, heat in evidence.maps.items():
            yield evidence.detector, name, f"{evidence.detector}-{name}.png", _png(map_picture(heat))
            if images is not None and len(images) and images.shape[2:] == heat.shape:
                over = f"{name}{OVER_SAMPLES}"
                yield evidence.detector, over, f"{evidence.detector}-{over}.png", _png(overlay_picture(heat, images))
        if evidence.poisoned:
            yield evidence.detector, SAMPLES, f"{evidence.detector}-{SAMPLES}.csv", samples_table(evidence)
        for p in evidence.poisoned:
            name = picture_name(p)
            yield evidence.detector, name, f"{evidence.detector}-{name}.png", _png(clusters_picture(p))
    for i, witness in ((i, p.witness) for i, p in enumerate(report.proofs) if p.witness is not None):
        for name, (suffix, content) in witness_files(witness).items():
            yield gate_name(i), name, f"{gate_name(i)}-{name}{suffix}", content


def _contents(trigger: Trigger, images: NDArray[np.float32] | None) -> dict[str, tuple[str, bytes]]:
    contents = {
        "trigger": (".png", _png(trigger_picture(trigger))),
        "mask": (".png", _png(mask_picture(trigger))),
        "arrays": (".npz", _arrays(trigger)),
    }
    if images is not None and len(images):
        contents["stamped"] = (".png", _png(stamped_picture(trigger, images)))
    return contents


def _arrays(trigger: Trigger) -> bytes:
    """What ``trigger_files`` reads."""
    arrays: dict[str, Any] = {"mask": trigger.mask, "pattern": trigger.pattern}
    if trigger.mapping is None:
        arrays["target"] = np.asarray(trigger.target, np.int64)
    else:
        arrays["mapping"] = np.asarray(trigger.mapping, np.int64)
    return _saved(lambda f: np.savez_compressed(f, **arrays))


def _png(picture: NDArray[np.uint8]) -> bytes:
    return _saved(lambda file: Image.fromarray(picture).save(file, format="PNG"))


def _saved(save: Callable[[BytesIO], None]) -> bytes:
    file = BytesIO()
    save(file)
    return file.getvalue()
