# make demo: install into .venv, scan the two bundled models, write their reports.
# make test: install into .venv, run the default tests.
PYTHON ?= python3
PIP_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
REPORTS ?= onnxray-report
SUSPECTS ?= ../shared

.PHONY: demo test lint bundled suspects clean

demo: $(VENV)/.installed
	$(BIN)/onnxray scan models/bundled/clean.onnx --data models/bundled/samples.npz -o $(REPORTS)/clean --exit-zero
	$(BIN)/onnxray scan models/bundled/trojaned.onnx --data models/bundled/samples.npz -o $(REPORTS)/trojaned --exit-zero
	@echo "The reports, with the recovered trigger as pictures, are in $(REPORTS)/clean and $(REPORTS)/trojaned."

test: $(VENV)/.dev
	$(BIN)/pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/conftest.py
	$(BIN)/mypy

# Train the bundled pair again from Fashion-MNIST (npz with x_train, y_train, x_test, y_test).
bundled: $(VENV)/.dev
	$(BIN)/python -m onnxray.models.bundled_pair $(FASHION_MNIST) -o models/bundled

# Scan third-party models whose truth is known, and print the table.
suspects: $(VENV)/.dev
	$(BIN)/python -m onnxray.models.suspects $(SUSPECTS)/suspects --data $(SUSPECTS)/data
	$(BIN)/python -m onnxray.models.suspects $(SUSPECTS)/suspects --data $(SUSPECTS)/data --part catalog

# torch comes first and pinned: a plain requirement takes its newest build, with gigabytes of CUDA packages.
$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("onnxray needs Python 3.11 or newer, this is %d.%d: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q $(PIP_OPTIONS) -c constraints.txt torch
	$(BIN)/pip install -q $(PIP_OPTIONS) -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/pip install -q $(PIP_OPTIONS) -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build $(REPORTS) *.egg-info
