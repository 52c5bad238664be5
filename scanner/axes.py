"""The names of the layouts that a model's input may have."""

__all__ = ["LAYOUTS"]

LAYOUTS = ("NCHW", "NHWC", "NHW", "flat", "flat HWC", "flat1", "flat1 HWC")
