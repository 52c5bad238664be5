"""Ask the peers about one model, and print what they say: ``python -m onnxray.models.bench.peers MODEL``."""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time

import click

from ....converters import open_model
from ....scanner.assumed_domain import no_samples, noise
from ....scanner.domain_search import find_domain
from ....scanner.errors import OnnxrayError, OptionError
from ....scanner.images import load_images
from . import Peer, filters, peers

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--pictures", type=_FILE, help="Clean pictures, an .npz as `onnxray scan` takes it.")
@click.option("--count", default=200, show_default=True, help="At most so many of them.")
@click.option("--peer", "chosen", multiple=True, help="Only this one; can be given several times.")
@click.option("--short", is_flag=True, help="The presets that a CPU can pay, where a peer has one.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The zoo's data sets: filters run, too.")
@click.option("--seed", default=0, show_default=True)
def main(
    file: Path, pictures: Path | None, count: int, chosen: tuple[str, ...], short: bool, data: Path | None, seed: int
) -> None:
    """Ask the peers about FILE, a model; with --data, the filters too, about the training set of a model of the zoo."""
    try:
        _ask_peers(file, pictures, count, chosen, short, seed)
        if data is not None:
            _ask_filters(file, data, seed)
    except OnnxrayError as error:
        raise click.ClickException(str(error)) from None


def _ask_peers(file: Path, pictures: Path | None, count: int, chosen: tuple[str, ...], short: bool, seed: int) -> None:
    if unknown := sorted(set(chosen) - set(peers())):
        raise OptionError(f"peer: expected some of {list(peers())}, got {unknown[0]!r}")
    model = open_model(file)
    if pictures is None:
        samples = no_samples(model)
        model.build_twin(noise(samples.domain))
    else:
        _, samples = find_domain(model, load_images(pictures, limit=count, seed=seed), seed=seed)
        model.build_twin(samples.inputs())
    for name, kind in peers().items():
        if (name in chosen or not chosen) and kind.needs_samples <= len(samples):
            peer: Peer = kind().short() if short else kind()
            started = process_time()
            said = peer.run(model, samples, seed)
            spent = f"{said.seconds:.1f} s, {process_time() - started:.1f} s of CPU"
            verdict = f"{'flags' if said.flagged else 'does not flag'} class {said.target}"
            click.echo(f"{name}: {verdict}, score {said.score:.3f}, {spent} ({said.note})")
            click.echo("  " + " ".join(f"{value:.4g}" for value in said.classes))


def _ask_filters(file: Path, data: Path, seed: int) -> None:
    from ._training_set import training_set

    training = training_set(json.loads((file.parent / "truth.json").read_text(encoding="utf-8")), data)
    for name, kind in filters().items():
        said = kind().run(open_model(file), training, seed)
        click.echo(
            f"{name}: {said.found} of {said.examples} examples, {said.right} of the {said.poisoned} poisoned ones; "
            f"precision {said.precision:.3f}, recall {said.recall:.3f}, F1 {said.f1:.3f}, {said.seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
