"""Everything that knows ONNX; nothing here knows what a backdoor is."""

from .errors import ModelError, NotAClassifier, OnnxrayError, TwinError
from .model import Model, ModelFacts, open_model
from .parity import Parity

__all__ = ["Model", "ModelError", "ModelFacts", "NotAClassifier", "OnnxrayError", "Parity", "TwinError", "open_model"]
