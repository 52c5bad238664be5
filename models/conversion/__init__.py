"""How much of ONNX has a twin: the backend node tests, whole models, and the report on both."""
