"""Image classifiers of Keras, seeded weights: through tf2onnx, Keras' own export, a SavedModel and TensorFlow Lite."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ....converters.sources import convert
from . import Recipe

# Name -> smallest sensible size of a side.
APPLICATIONS = {
    "MobileNet": 32, "MobileNetV2": 32, "MobileNetV3Small": 32, "DenseNet121": 32, "ResNet50": 32, "ResNet50V2": 32,
    "EfficientNetB0": 32, "EfficientNetV2B0": 32, "ConvNeXtTiny": 32, "VGG16": 32,
    "InceptionV3": 75, "Xception": 71,
}  # fmt: skip
CLASSES = 10


def models() -> Iterator[tuple[str, Recipe]]:
    """Every network by both exporters; the small ones through a SavedModel and TensorFlow Lite too."""
    makers: dict[str, Callable[[], Any]] = {
        name.lower(): partial(_application, name, size) for name, size in APPLICATIONS.items()
    }
    for name, make in {**_small(), **makers}.items():
        yield f"{name}-tf2onnx", partial(_by_file, make, "model.keras")
        yield f"{name}-keras-export", partial(_own_export, make)
    for name, make in _small().items():
        yield f"{name}-h5", partial(_by_file, make, "model.h5")
        yield f"{name}-saved-model", partial(_saved_model, make)
        if name != "recurrent":  # TensorFlow Lite has no loops over lists among its own operators
            yield f"{name}-tflite-float", partial(_tflite, make, False)
            yield f"{name}-tflite-int8", partial(_tflite, make, True)


def _small() -> dict[str, Callable[[], Any]]:
    return {"plain": _plain, "separable": _separable, "attention": _attention, "recurrent": _recurrent}


def _application(name: str, size: int) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    make = getattr(keras.applications, name)
    return _woken(make(weights=None, input_shape=(size, size, 3), classes=CLASSES))


def _plain() -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    return _woken(keras.Sequential([
        keras.Input((32, 32, 3)), layers.Rescaling(1 / 127.5, -1), layers.Conv2D(16, 3, padding="same", strides=2),
        layers.BatchNormalization(), layers.LeakyReLU(), layers.MaxPooling2D(3, 2, padding="same"),
        layers.Conv2D(32, 3, activation="relu"), layers.Flatten(), layers.Dropout(0.5),
        layers.Dense(CLASSES, activation="softmax"),
    ]))  # fmt: skip


def _separable() -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((32, 32, 3))
    for width in (16, 32):
        x = layers.SeparableConv2D(width, 3, padding="same", activation="gelu")(x)
        x = layers.LayerNormalization()(layers.AveragePooling2D(2)(x))
        gate = layers.Dense(width, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
        x = layers.Multiply()([x, gate])
    x = layers.Conv2DTranspose(16, 3, strides=2, activation="elu")(x)
    x = layers.Resizing(9, 9)(layers.ZeroPadding2D(1)(x))
    return _woken(keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalMaxPooling2D()(x))))


def _attention() -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    x = layers.Reshape((64, 24))(layers.Conv2D(24, 4, strides=4)(inputs))
    for _ in range(2):
        normal = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(3, 8)(normal, normal)])
        x = layers.Add()([x, layers.Dense(24)(layers.Dense(48, activation="swish")(layers.LayerNormalization()(x)))])
    return _woken(keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(x))))


def _recurrent() -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    return _woken(keras.Sequential([
        keras.Input((16, 12)), layers.Bidirectional(layers.LSTM(8, return_sequences=True)), layers.GRU(8),
        layers.Dense(CLASSES),
    ]))  # fmt: skip


def _woken(model: Any) -> Any:
    """Move vectors off their start, where a swapped or forgotten parameter changes nothing."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if len(weight.shape) == 1 and "float" in str(weight.dtype):
            weight.assign(weight + 0.1 * rng.random(weight.shape).astype("float32"))
    return model


def _by_file(make: Callable[[], Any], name: str, path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        make().save(file)
        convert(file, path)


def _own_export(make: Callable[[], Any], path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"  # Keras insists on the suffix
        model = make()
        model(np.zeros((1, *model.input_shape[1:]), np.float32))  # it exports no model that was never called
        model.export(file, format="onnx", verbose=False)
        Path(path).write_bytes(file.read_bytes())


def _saved_model(make: Callable[[], Any], path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make().export(folder, verbose=False)
        convert(folder, path)


def _tflite(make: Callable[[], Any], quantised: bool, path: str) -> None:
    import tensorflow as tf

    model = make()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantised:
        shape = (1, *model.input_shape[1:])
        images = np.random.default_rng(0).random((20, *shape), dtype=np.float32)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(converter.convert())
        convert(file, path)
