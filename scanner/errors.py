"""Everything that can go wrong in a scan and is the input's fault, not ours.

OnnxrayError
├── ModelError            (converters) the model file cannot be read or run
│   ├── NotAClassifier
│   └── TwinError
├── RepairError           a repair cannot be applied to the model, or finds nothing to do in it
├── SamplesError          the clean samples cannot be read or do not fit the model
│   └── UnfitSamplesError  they can be read, and are not this model's
├── ClusterError          a cluster cannot be joined, or cannot do a job
└── OptionError           an option, a method's name or a configuration value is wrong
"""

from ..converters.errors import ModelError, NotAClassifier, OnnxrayError, TwinError

__all__ = [
    "ClusterError",
    "ModelError",
    "NotAClassifier",
    "OnnxrayError",
    "OptionError",
    "RepairError",
    "SamplesError",
    "TwinError",
    "UnfitSamplesError",
]


class ClusterError(OnnxrayError):
    """A cluster cannot be joined, or cannot do a job."""


class SamplesError(OnnxrayError):
    """The clean samples cannot be read or do not fit the model."""


class UnfitSamplesError(SamplesError):
    """The samples can be read, and are not this model's: other classes, or pictures for what takes none."""


class OptionError(OnnxrayError):
    """An option, a method's name or a configuration value is wrong."""


class RepairError(OnnxrayError):
    """A repair cannot be applied to the model, or finds nothing to do in it."""
