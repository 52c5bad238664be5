"""Classifiers of JAX, in plain JAX, Flax and Equinox, seeded weights, through jax2onnx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ....converters.sources._jax import from_jax
from . import Recipe

CLASSES = 10
Network = tuple[Callable[[Any], Any], tuple[int, ...]]


def models() -> Iterator[tuple[str, Recipe]]:
    """A function of every library and idea."""
    makers = {
        "plain-mlp": _plain_mlp, "plain-cnn": _plain_cnn, "plain-attention": _plain_attention,
        "flax-mlp": _flax_mlp, "flax-cnn": _flax_cnn, "equinox-mlp": _equinox_mlp, "equinox-cnn": _equinox_cnn,
    }  # fmt: skip
    for name, make in makers.items():
        yield name, partial(_export, make)


def _export(make: Callable[[], Network], path: str) -> None:
    function, shape = make()
    Path(path).write_bytes(from_jax(function, shape).SerializeToString())


def _weights(*shapes: tuple[int, ...]) -> list[Any]:
    import jax

    keys = jax.random.split(jax.random.key(0), len(shapes))
    return [jax.random.normal(key, shape) * 0.2 for key, shape in zip(keys, shapes, strict=True)]


def _plain_mlp() -> Network:
    import jax
    import jax.numpy as jnp

    a, b, c, d = _weights((12, 32), (32,), (32, CLASSES), (CLASSES,))
    return lambda x: jax.nn.log_softmax(jnp.tanh(x @ a + b) @ c + d), (1, 12)


def _plain_cnn() -> Network:
    import jax
    import jax.numpy as jnp

    kernel, last = _weights((3, 3, 3, 8), (8, CLASSES))

    def classify(x: Any) -> Any:
        x = jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jnp.mean(jax.nn.gelu(x), axis=(1, 2)) @ last

    return classify, (1, 16, 16, 3)


def _plain_attention() -> Network:
    import jax
    import jax.numpy as jnp

    q, k, v, last = _weights((12, 8), (12, 8), (12, 8), (8, CLASSES))

    def classify(x: Any) -> Any:
        scores = jnp.einsum("bik,bjk->bij", x @ q, x @ k) / jnp.sqrt(8.0)
        return jnp.mean(jnp.einsum("bij,bjk->bik", jax.nn.softmax(scores), x @ v), axis=1) @ last

    return classify, (1, 6, 12)


def _flax_mlp() -> Network:
    from flax import nnx

    random = nnx.Rngs(0)
    first, norm = nnx.Linear(12, 32, rngs=random), nnx.LayerNorm(32, rngs=random)
    last = nnx.Linear(32, CLASSES, rngs=random)
    return lambda x: last(nnx.relu(norm(first(x)))), (1, 12)


def _flax_cnn() -> Network:
    from flax import nnx

    random = nnx.Rngs(0)
    first, norm = nnx.Conv(3, 8, (3, 3), rngs=random), nnx.BatchNorm(8, use_running_average=True, rngs=random)
    last = nnx.Linear(8, CLASSES, rngs=random)

    def classify(x: Any) -> Any:
        x = nnx.max_pool(nnx.silu(norm(first(x))), window_shape=(2, 2), strides=(2, 2))
        return last(x.mean((1, 2)))

    return classify, (1, 16, 16, 3)


def _equinox_mlp() -> Network:
    import equinox
    import jax

    network = equinox.nn.MLP(12, CLASSES, 32, 2, key=jax.random.key(0))
    return jax.vmap(network), (1, 12)


def _equinox_cnn() -> Network:
    import equinox
    import jax

    keys = jax.random.split(jax.random.key(0))
    network = equinox.nn.Sequential([
        equinox.nn.Conv2d(3, 8, 3, key=keys[0]), equinox.nn.Lambda(jax.nn.relu), equinox.nn.AvgPool2d(2, 2),
        equinox.nn.Lambda(lambda x: x.reshape(-1)), equinox.nn.Linear(392, CLASSES, key=keys[1]),
    ])  # fmt: skip
    return jax.vmap(lambda x: network(x)), (1, 3, 16, 16)
