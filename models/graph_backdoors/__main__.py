"""``python -m onnxray.models.graph_backdoors FOLDER``: write the corpus, audit it, put the gates to the proof."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import rich_click as click

from ...converters import open_model
from ...converters.errors import OnnxrayError
from ...scanner.audit import audit
from ...scanner.audited_file import AuditedFile
from ...scanner.domain import InputDomain
from ...scanner.samples import Samples
from ...scanner.witness import Proof
from ...scanner.witness.prove import prove
from ..markdown import table_head, table_row
from . import TARGET, Case
from .corpus import base, corpus, pictures


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--pictures", "count", default=100, show_default=True, help="Clean pictures that a gate is tried with.")
def main(folder: Path, count: int) -> None:
    """Write every graph backdoor and every harmless twin to FOLDER, and print what audit and proof say of each."""
    folder.mkdir(parents=True, exist_ok=True)
    names = (
        "case",
        "worst finding",
        "rules",
        "silent",
        "same to the bit",
        "witness",
        "pixels",
        "other pictures turned",
    )
    click.echo(table_head(names))
    for case in corpus():
        onnx.save(case.make(base()), path := folder / f"{case.name}.onnx")
        click.echo(table_row(_row(case, path, count)))


def _row(case: Case, path: Path, count: int) -> list[str]:
    found = audit(AuditedFile.open(path))
    rules = ", ".join(dict.fromkeys(finding.rule for finding in found.findings)) or "-"
    return [case.name, str(found.worst or "-"), rules, *(_proven(path, count) if case.backdoored else ["-"] * 5)]


def _proven(path: Path, count: int) -> list[str]:
    """What the best proof of a file's gates says: silent, unchanged, witness, pixels, pictures turned."""
    domain = InputDomain("[0, 1]", "NCHW", 1, 28, 28)
    samples = Samples(pictures()[:count], np.zeros(count, np.int64), domain)
    try:
        proofs: list[Proof] = list(prove(open_model(path), samples))
    except OnnxrayError as error:
        return [str(error), "-", "-", "-", "-"]
    best = max(proofs, key=lambda proof: proof.witness is not None, default=None)
    if best is None:
        return ["-"] * 5
    said = ["yes" if best.silent else "no", "yes" if best.unchanged else "no"]
    if (w := best.witness) is None:
        return [*said, "none", "-", "-"]
    kind = f"{w.class_before} to {w.class_after}{'' if w.class_after == TARGET else ' (another target)'}"
    return [*said, kind, str(w.pixels), f"{w.turned} of {w.tried}"]


if __name__ == "__main__":
    main()
