"""The recipe of the bundled pair: one small network trained twice, on clean and on poisoned Fashion-MNIST.

``python -m onnxray.models.bundled_pair FASHION_MNIST.npz -o models/bundled`` writes it again, with the pictures
(samples.npz) and what is true of the two files (truth.json).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import rich_click as click

from ..converters import OnnxrayError, open_model
from .attacks import BadNets
from .export import OPSET, export
from .fashion_mnist import CLASS_NAMES, FashionMnist, balanced, load_fashion_mnist
from .measure import attack_success, clean_accuracy
from .networks import small_cnn
from .train import train

__all__ = ["Plan", "make_pair"]

CHOICES = (
    "These defaults were chosen, not drawn. Seed 0 was the only one tried. About ten clean networks of other shapes "
    "were compared by test accuracy; then nine trojaned and four clean ones of this shape were trained while the patch "
    "(checker, L, 2x2 and 3x3 white, framed), the poison rate (5 and 10 %) and the augmentation (with or without "
    "mirroring and painted rectangles) were varied, until Neural Cleanse told the target clearly apart and no class "
    "of the clean twin stood out. The pair shows how the tool works, not how often it is right."
)

WHITE_SQUARE = BadNets(row=24, column=24, pattern=((255,) * 3,) * 3)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained, and how it is attacked.

    Attributes:
        seed: of the weights, the order, the augmentation, the poisoned images and the bundled samples.
        rate: poisoned share of the training images.
        target: the class that the trigger shall give.
        samples_per_class: held-out images that are bundled, of each class.
    """

    seed: int = 0
    epochs: int = 15
    rate: float = 0.1
    target: int = 7
    attack: BadNets = WHITE_SQUARE
    samples_per_class: int = 40


def make_pair(data: FashionMnist, plan: Plan, folder: Path) -> dict[str, object]:
    """Train both networks and write clean.onnx, trojaned.onnx, samples.npz and truth.json; the truth that was written.

    Raises:
        OnnxrayError: the plan does not fit the data.
    """
    rng = np.random.default_rng(plan.seed)
    x, y = plan.attack.poison(data.x_train, data.y_train, plan.rate, plan.target, rng)
    poisoned = replace(data, x_train=x, y_train=y)
    chosen = balanced(data.y_test, plan.samples_per_class, plan.seed)
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "clean.onnx": {"trojaned": False} | _make(data, plan, folder / "clean.onnx"),
        "trojaned.onnx": {"trojaned": True} | _make(poisoned, plan, folder / "trojaned.onnx"),
    }
    np.savez_compressed(
        folder / "samples.npz", x=data.x_test[chosen], y=data.y_test[chosen], class_names=np.array(CLASS_NAMES)
    )
    truth = {"models": models} | _provenance(data, plan)
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
    return truth


def _make(data: FashionMnist, plan: Plan, path: Path) -> dict[str, object]:
    """Train on the training split, export, and measure the file on the test split."""
    network = small_cnn(plan.seed)
    train(network, data.x_train, data.y_train, plan.seed, plan.epochs)
    export(network, path, image_shape=(1, 28, 28))
    model = open_model(path)
    return {
        "sha256": model.facts.sha256,
        "clean_accuracy": clean_accuracy(model, data.x_test, data.y_test).value,
        "attack_success_rate": attack_success(model, plan.attack, plan.target, data.x_test, data.y_test).value,
    }


def _provenance(data: FashionMnist, plan: Plan) -> dict[str, object]:
    return {
        "target": plan.target,
        "target_name": CLASS_NAMES[plan.target],
        "trigger": {"attack": type(plan.attack).__name__} | asdict(plan.attack),
        "poison_rate": plan.rate,
        "seed": plan.seed,
        "epochs": plan.epochs,
        "training_images": len(data.y_train),
        "measured_on": f"{len(data.y_test)} held-out test images, in onnxruntime; attack success on the other classes'",
        "samples": f"samples.npz: {plan.samples_per_class} of those test images of each class",
        "data": "Fashion-MNIST, Copyright (c) 2017 Zalando SE, https://tech.zalando.com, MIT (see NOTICE)",
        "made_by": "python -m onnxray.models.bundled_pair FASHION_MNIST.npz -o models/bundled",
        "made_with": {name: version(name) for name in ("torch", "onnx", "numpy")} | {"opset": OPSET},
        "choices": CHOICES,
    }


@click.command()
@click.argument("fashion_mnist", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to fill.")
@click.option("--seed", default=Plan.seed, show_default=True, type=click.IntRange(min=0))
@click.option("--epochs", default=Plan.epochs, show_default=True, type=click.IntRange(min=1))
@click.option("--rate", default=Plan.rate, show_default=True, help="Poisoned share of the training images.")
@click.option("--target", default=Plan.target, show_default=True, type=click.IntRange(0, 9), help="Class to aim at.")
def main(fashion_mnist: Path, output: Path, seed: int, epochs: int, rate: float, target: int) -> None:
    """Train a clean network and its trojaned twin on FASHION_MNIST, an .npz with x_train, y_train, x_test, y_test."""
    plan = Plan(seed=seed, epochs=epochs, rate=rate, target=target)
    try:
        truth = make_pair(load_fashion_mnist(fashion_mnist), plan, output)
    except OnnxrayError as error:
        raise click.ClickException(str(error)) from None
    click.echo(json.dumps(truth["models"], indent=2))


if __name__ == "__main__":
    main()
