"""Suspicious training samples: the list of them, a picture of each label's clusters, and lines for a terminal."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..findings import Evidence, Report
from ..poisoned import PoisonedSamples
from ..poisoning import POLICY
from ._pictures import rgb
from ._words import class_label, percent, rate_words

__all__ = ["SAMPLES", "clusters_picture", "picture_name", "poisoned_lines", "samples_table"]

SAMPLES = "samples"
"""Name of the list of samples among a method's files."""

PLOT, TILE, GAP, LINE = 300, 56, 6, 14  # pixels
LOOKS = {"kept": (70, 110, 170), "suspicious": (205, 50, 40)}
MARGIN = 0.01  # share of the points at either end that the plot may cut off


def samples_table(evidence: Evidence) -> bytes:
    """CSV: position in the training set, class that it is labelled as, cluster, and how deep inside that it lies.

    The cluster is called poisoned where what its samples share works as a trigger, else suspicious.
    """
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["index", "class", "cluster", "score"])
    for p in sorted(evidence.poisoned, key=lambda p: p.target):
        cluster = "poisoned" if p.transplant.lower >= POLICY.transplant else "suspicious"
        for position, score in zip(p.positions.tolist(), p.scores.tolist(), strict=True):
            writer.writerow([position, p.target, cluster, f"{score:.4f}"])
    return file.getvalue().encode()


def picture_name(p: PoisonedSamples) -> str:
    """Name of a picture among a method's files."""
    return f"clusters-class{p.target}"


def clusters_picture(p: PoisonedSamples) -> NDArray[np.uint8]:
    """Points of both clusters; beside them each cluster's average picture and some of its own."""
    count = max([0, *(len(pictures) for pictures in p.sprites.values())])
    columns = -(-count // 2)
    width = PLOT + (3 * GAP + 2 * TILE + columns * (TILE + GAP) if p.averages else 0)
    canvas = Image.new("RGB", (width, PLOT + LINE), (255, 255, 255))
    draw = ImageDraw.Draw(canvas)
    draw.text((2, 1), f"training samples labelled {p.target}, two components", fill=(0, 0, 0))
    canvas.paste(Image.fromarray(_plot(p)), (0, LINE))
    for row, (name, colour) in enumerate(LOOKS.items()):
        if name in p.averages:
            count = len(p) if name == "suspicious" else p.labelled - len(p)
            top = row * (PLOT // 2 + LINE // 2)
            draw.text((PLOT + GAP, top + 1), f"{name} ({count}): average, samples", fill=colour)
            _tiles(canvas, (PLOT + GAP, LINE + top), p, name, columns)
    return np.asarray(canvas)


def poisoned_lines(report: Report, p: PoisonedSamples) -> Iterator[str]:
    """What was found of one label, and how it was told."""
    label, source = class_label(report, p.target), class_label(report, p.source)
    yield f"{len(p)} of {p.labelled} samples labelled {label} ({percent(p.share)})"
    ratio = p.reclassified.ratio
    told = f"l / p {ratio:.2f}" if np.isfinite(ratio) else "l / p infinite"
    moved = f"takes most for {source}" if ratio < 1 else "takes most for what they are labelled"
    yield f"a last layer that never saw them {moved} ({told}); silhouette {p.silhouette:.2f}"
    yield f"the model gives {rate_words(p.followed)} of them their label"
    if p.transplant.trials:
        yield f"what they share turns {rate_words(p.transplant)} other samples"
    if p.clean.trials:
        yield f"{p.clean.hits} of {p.clean.trials} clean samples of the class lie among them"
    for name, lines in p.words.items():
        yield from (f"{name}, {line}" for line in lines)


def _plot(p: PoisonedSamples) -> NDArray[np.uint8]:
    """The points in a square, those of the suspicious cluster on top."""
    picture = np.full((PLOT, PLOT, 3), 245, np.uint8)
    low, high = np.quantile(p.points, [MARGIN, 1 - MARGIN], axis=0) if len(p.points) else (np.zeros(2), np.ones(2))
    room = np.maximum(high - low, 1e-9)
    place = (0.05 + 0.9 * (p.points - low) / room).clip(0.01, 0.99)
    for name, chosen in (("kept", ~p.inside), ("suspicious", p.inside)):
        for x, y in np.rint(place[chosen] * (PLOT - 4)).astype(int):
            picture[PLOT - 4 - y : PLOT - 1 - y, x : x + 3] = LOOKS[name]
    return picture


def _tiles(canvas: Image.Image, corner: tuple[int, int], p: PoisonedSamples, name: str, columns: int) -> None:
    """The average, twice as large, and the samples in two rows."""
    size = 2 * TILE + GAP
    canvas.paste(_tile(p.averages[name], size), corner)
    for place, picture in enumerate(p.sprites.get(name, ())):
        x = corner[0] + size + GAP + (place % columns) * (TILE + GAP)
        canvas.paste(_tile(picture, TILE), (x, corner[1] + place // columns * (TILE + GAP)))


def _tile(picture: NDArray[np.float32], size: int) -> Image.Image:
    return Image.fromarray(rgb(picture)).resize((size, size), Image.Resampling.NEAREST)
