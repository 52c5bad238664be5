"""``python -m onnxray.scanner``: the command line."""

from .cli import main

main(prog_name="onnxray")
