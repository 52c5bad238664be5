"""A benchmark as plots: ROC curves, areas over the number of samples, detections by attack, reliability."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .benchmark import Benchmark
from .record import OURS
from .statistics import Share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_all"]

OUR_COLOUR = "#0072B2"
COLOURS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito: seen by all
MARKS = ("s", "^", "D", "v", "P", "X")
FORMATS: dict[str, dict[str, Any]] = {"png": {"dpi": 150}, "svg": {"metadata": {"Date": None}}}
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "onnxray",
}


def plot_all(found: Benchmark, folder: Path) -> list[Path]:
    """Write every plot as PNG and as SVG; the files written.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib

    written = []
    with matplotlib.rc_context(STYLE):
        for name, figure in _figures(found):
            for suffix, more in FORMATS.items():
                path = folder / f"{name}.{suffix}"
                figure.savefig(path, bbox_inches="tight", **more)
                written.append(path)
    return written


def _figures(found: Benchmark) -> Iterator[tuple[str, Figure]]:
    if any(c.samples == found.headline for c in found.curves):
        yield "roc", _roc(found)
    if any(r.auc for r in found.results):
        yield "samples", _over_samples(found)
    if any(g.by == "attack" and g.samples == found.headline for g in found.groups):
        yield "attacks", _attacks(found)
    if found.reliability:
        yield "reliability", _reliability(found)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Without pyplot, which would look for a screen."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    return figure, figure.subplots()


def _look(found: Benchmark) -> dict[str, dict[str, Any]]:
    """Colour, mark and width of each scanner; ours stands out."""
    peers = [who for who in dict.fromkeys(r.who for r in found.results) if who != OURS]
    ours = {"color": OUR_COLOUR, "marker": "o", "linewidth": 2.2, "zorder": 3}
    return {OURS: ours} | {
        who: {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)], "linewidth": 1.3}
        for i, who in enumerate(peers)
    }


def _roc(found: Benchmark) -> Figure:
    figure, axes = _canvas(5.2, 4.6)
    areas = {r.who: r.auc for r in found.results if r.samples == found.headline}
    for curve in (c for c in found.curves if c.samples == found.headline):
        look = {**_look(found)[curve.who], "marker": ""}
        area = areas[curve.who]
        label = f"{curve.who}, AUC {area.value:.3f}" if area else curve.who
        axes.plot(
            curve.false_positive_rate,
            curve.true_positive_rate,
            drawstyle="steps-post",
            label=label,
            clip_on=False,
            **look,
        )
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=1, linestyle=":")
    axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel="false positive rate", ylabel="true positive rate")
    ours = next(r for r in found.results if r.samples == found.headline)
    axes.set_title(
        f"{ours.trojaned} trojaned and {ours.clean} clean models, {found.headline} clean samples", fontsize=10
    )
    axes.legend(frameon=False, loc="lower right")
    return figure


def _over_samples(found: Benchmark) -> Figure:
    figure, axes = _canvas(5.6, 4.2)
    counts = sorted({r.samples for r in found.results})
    looks = _look(found)
    for place, who in enumerate(looks):
        rows = [(counts.index(r.samples), r.auc) for r in found.results if r.who == who and r.auc]
        shift = 0.07 * (place - (len(looks) - 1) / 2)  # so that the intervals do not hide each other
        at, values = [x + shift for x, _ in rows], [a.value for _, a in rows]
        ends = [[a.value - a.lower for _, a in rows], [a.upper - a.value for _, a in rows]]
        axes.errorbar(at, values, yerr=ends, label=who, capsize=2.5, markersize=5, elinewidth=1, **looks[who])
    axes.axhline(0.5, color="0.75", linewidth=1, linestyle=":")
    axes.set_xticks(range(len(counts)), [str(count) for count in counts])
    axes.set(xlabel="clean samples", ylabel="AUC, with 95 % intervals", xlim=(-0.4, len(counts) - 0.6))
    axes.set_ylim(top=1.005)
    figure.legend(loc="outside upper center", frameon=False, ncols=4)
    return figure


def _attacks(found: Benchmark) -> Figure:
    here = [g for g in found.groups if g.by == "attack" and g.samples == found.headline]
    names = sorted({g.name for g in here}, reverse=True)
    looks = _look(found)
    whos = [who for who in looks if any(g.who == who for g in here)]
    figure, axes = _canvas(6.2, 1.0 + 0.115 * len(names) * (len(whos) + 1))
    height = 1 / (len(whos) + 1)
    for row, who in enumerate(whos):
        shares = {g.name: g.flagged for g in here if g.who == who}
        for place, name in enumerate(names):
            at = place + ((len(whos) - 1) / 2 - row) * height
            _bar(axes, at, height, shares.get(name), looks[who]["color"], who if place == 0 else "")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 1), xlabel=f"share detected, with {found.headline} clean samples")
    axes.set_ylim(-0.6, len(names) - 0.4)
    figure.legend(loc="outside upper center", frameon=False, ncols=4)
    return figure


def _bar(axes: Axes, at: float, height: float, share: Share | None, colour: str, label: str) -> None:
    value = share.value if share and share.value is not None else 0.0
    axes.barh(at, value, 0.85 * height, color=colour, label=label or None)
    if share:
        axes.text(
            value + 0.01, at, f"{share.hits}/{share.trials}", va="center", fontsize=6.5, color="0.3", clip_on=False
        )


def _reliability(found: Benchmark) -> Figure:
    figure, axes = _canvas(5.2, 4.6)
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=1, linestyle=":")
    trust = next((t for t in found.reliability if t.samples == found.headline), found.reliability[-1])
    bins = trust.reliability.bins
    at, values = [b.score for b in bins], [b.trojaned.value or 0.0 for b in bins]
    ends = [
        [v - b.trojaned.lower for v, b in zip(values, bins, strict=True)],
        [b.trojaned.upper - v for v, b in zip(values, bins, strict=True)],
    ]
    axes.errorbar(at, values, yerr=ends, fmt="o", color=OUR_COLOUR, capsize=3, elinewidth=1, clip_on=False, zorder=3)
    for b, value in zip(bins, values, strict=True):
        axes.annotate(
            f" {b.trojaned.trials}",
            (b.score, value),
            fontsize=8,
            color="0.3",
            xytext=(4, 4),
            textcoords="offset points",
        )
    brier, error = trust.reliability.brier, trust.reliability.error
    axes.set(
        xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="our score, mean of the bin", ylabel="share that is trojaned"
    )
    axes.set_title(
        f"{trust.samples} clean samples: Brier score {brier:.3f}, calibration error {error:.3f}", fontsize=10
    )
    return figure
