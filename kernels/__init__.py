"""Tensor arithmetic at memory speed; knows neither ONNX nor backdoors."""
