"""What the analysis knows of operators: which decide, which pass a decision on, which learn, which look at one element.

Names as in ``Step.op``. Unknown operators are taken for ordinary arithmetic on all that they read.
"""

from __future__ import annotations

__all__ = [
    "ACTIVATIONS", "COMPARISONS", "CONTROL", "LAYERS", "LOGIC", "POINTWISE", "REDUCTIONS", "SHAPE_ONLY", "STEPS",
    "decides", "learns",
]  # fmt: skip

SHAPE_ONLY = frozenset({"Shape", "Size", "EyeLike", "RandomNormalLike", "RandomUniformLike"})
"""What they give depends on the shape of what they read, not on its values."""

COMPARISONS = frozenset({"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "IsNaN", "IsInf"})
STEPS = frozenset({"Sign", "Floor", "Ceil", "Round", "ArgMax", "ArgMin", "Hardmax", "NonZero", "ThresholdedRelu"})
"""Jumps that are no comparison by name."""

LOGIC = frozenset({"And", "Or", "Xor", "Not", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot"})

REDUCTIONS = frozenset({
    "ReduceSum", "ReduceMin", "ReduceMax", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
    "ReduceLogSum", "ReduceLogSumExp", "CumSum", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool",
})  # fmt: skip

_MOVES = frozenset({
    "Identity", "Cast", "CastLike", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Expand", "Tile", "Transpose",
    "Slice", "Gather", "GatherElements", "GatherND", "Concat", "Split", "Pad", "Trilu", "OneHot", "Compress",
    "Loop.carry", "Scan.carry", "ScatterND", "ScatterElements", "ArrayFeatureExtractor",
})  # fmt: skip

ACTIVATIONS = frozenset({
    "Relu", "Sigmoid", "Tanh", "Exp", "Pow", "Clip", "Max", "Min", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu",
    "Elu", "Selu", "Celu", "Softplus", "Softsign", "Softmax", "LogSoftmax", "Log", "Sqrt", "Reciprocal", "Erf", "Gelu",
    "Swish", "Mish", "Abs", "Sin", "Cos", "Tan", "Sinh", "Cosh", "Atan", "Asin", "Acos", "Asinh", "Acosh", "Atanh",
    "Shrink", "ThresholdedRelu", "Sign", "Floor", "Ceil", "Round", "Hardmax", "Mod", "QuantizeLinear",
    "DynamicQuantizeLinear", "BitShift", "com.microsoft.QuickGelu", "com.microsoft.Gelu",
})  # fmt: skip
"""What is not linear, so that what it reads can be silent up to a point and loud beyond it."""

_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div", "Sum", "Mean", "Neg", "Where", "Identity", "Cast", "CastLike",
                         "Dropout", "DequantizeLinear"})  # fmt: skip

POINTWISE = (ACTIVATIONS - {"Softmax", "LogSoftmax", "Hardmax"}) | _ARITHMETIC | COMPARISONS | LOGIC
"""Each element of what they give comes from the same element of what they read."""

CONTROL = POINTWISE | REDUCTIONS | _MOVES | {"MatMul", "Gemm", "If", "Loop", "Scan", "Loop.counter", "Einsum"}
"""Operators through which the outcome of a decision stays an outcome (MatMul and Gemm with few weights only)."""

LAYERS = frozenset({
    "Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "QLinearConv", "QLinearMatMul", "ConvInteger",
    "MatMulInteger", "DeformConv", "Einsum", "LinearClassifier", "LinearRegressor", "SVMClassifier", "SVMRegressor",
    "TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble",
})  # fmt: skip
"""Where what a model has learned is."""


def decides(op: str) -> bool:
    """Whether an operator turns a value into one of a few outcomes."""
    return op in COMPARISONS or op in STEPS


def learns(op: str) -> bool:
    """Whether an operator has weights; other domains' variants (FusedConv, QGemm, ...) by their names' ends."""
    name = op.rpartition(".")[2]
    return name in LAYERS or (name != op and name.endswith(("Conv", "Gemm", "MatMul", "MatMulNBits", "Attention")))
