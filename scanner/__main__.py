"""``python -m onnxray.scanner``: the command line."""

from .cli import main

main()
