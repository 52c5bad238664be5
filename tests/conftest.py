"""Show the folders to pytest and mypy under their installed names (``onnxray.scanner``, ...)."""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("onnxray", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("onnxray")

os.environ.setdefault("ONNXRAY_NO_CONFIG", "1")  # the settings of whoever runs the tests are no part of them

ROOT = Path(__file__).parents[1]
NAMESPACE = ROOT / "build" / "namespace"  # untracked; also read by [mypy]

for name in ("scanner", "converters", "kernels", "models"):
    link = NAMESPACE / "onnxray" / name
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT / name, target_is_directory=True)

try:
    import onnxray.scanner  # noqa: F401
except ModuleNotFoundError:  # a bare checkout, nothing installed
    sys.path.insert(0, str(NAMESPACE))
