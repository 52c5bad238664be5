"""Everything that knows ONNX; nothing here knows what a backdoor is."""

from .errors import ModelError, NotAClassifier, OnnxrayError, TwinError
from .facts import ModelFacts, TensorSpec
from .model import Model, open_model
from .parity import Parity

__all__ = [
    "Model", "ModelError", "ModelFacts", "NotAClassifier", "OnnxrayError", "Parity", "TensorSpec", "TwinError",
    "open_model",
]  # fmt: skip
