"""What can be wrong with a model file.

OnnxrayError
├── ModelError            the file cannot be read or run as an ONNX model
│   ├── NotAClassifier    it runs, but it has not the inputs and outputs of a classifier
│   └── TwinError         it runs, but no faithful differentiable twin of it could be made
│       └── NoGradient    its twin agrees, and has no gradient that could be followed
└── (the scanner's own errors: see scanner/errors.py)

Every message names the file, says what is wrong and what to do: "expected X, got Y".
"""


class OnnxrayError(Exception):
    """Root of all errors that a user can cause and mend; the message is one readable line."""


class ModelError(OnnxrayError):
    """The file cannot be read or run as an ONNX model."""


class NotAClassifier(ModelError):  # noqa: N818  (reads better where it is caught)
    """The model runs, but its inputs and outputs are not those of a classifier."""


class TwinError(ModelError):
    """No torch twin that agrees with onnxruntime could be made."""


class NoGradient(TwinError):  # noqa: N818  (reads better where it is caught)
    """The twin agrees, and the gradient at its input is zero, not finite or cut: it answers in steps."""
