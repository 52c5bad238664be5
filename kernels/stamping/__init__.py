"""The ways to put many triggers on many images, and the gradient of that; see ``kernels/stamp.py``."""
