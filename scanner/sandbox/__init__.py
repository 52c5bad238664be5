"""Run a function on files that nobody trusts, in a process of its own that cannot hurt this one.

``run_confined`` starts a fresh interpreter with limits on memory, CPU time and wall clock, without network and, on
Linux, without the right to write outside its scratch folder; docs/hostile-files.md says what holds where. The child
that dies is a result. What comes back is data, never code: see codec.py.
"""

from __future__ import annotations

from .limits import Confinement, Died, Fault, Limits, Result
from .parent import run_confined

__all__ = ["Confinement", "Died", "Fault", "Limits", "Result", "run_confined"]
