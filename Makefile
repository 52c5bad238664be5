# make demo: install into .venv, scan the two bundled models, write their reports.
# make test: install into .venv, run the default tests.
# make bench: how fast the kernels and the trigger search are on this machine.
# make fuzz: hostile files, then changed models, put to the audit and to the sandbox; FUZZ takes options, such as FUZZ="--mutants 1000".
# make catalog-bench: 300 made models scanned while the scan is killed again and again, and what was lost; half an hour or more.
# make conversion-report: what converts to a twin and how well; exports whole models first, which takes an hour.
PYTHON ?= python3
PIP_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
REPORTS ?= onnxray-report
SUSPECTS ?= ../shared

.PRECIOUS: $(VENV)-%/.installed
.PHONY: demo test lint bench fuzz catalog-bench bundled suspects operators conversion-report clean

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

# BENCH takes options, such as BENCH="--part search --rounds 5".
bench: $(VENV)/.installed
	mkdir -p $(REPORTS)
	$(BIN)/onnxray bench speed -o $(REPORTS)/speed.json $(BENCH)

fuzz: $(VENV)/.installed
	$(BIN)/python -m onnxray.models.hostile
	$(BIN)/python -m onnxray.models.fuzz $(FUZZ)

# CATALOG_BENCH takes options, such as CATALOG_BENCH="--models 40 --kills 6".
catalog-bench: $(VENV)/.installed
	mkdir -p $(REPORTS)
	$(BIN)/python -m onnxray.models.catalog_bench -o $(REPORTS)/catalog-bench.json $(CATALOG_BENCH)

# Train the bundled pair again from Fashion-MNIST (npz with x_train, y_train, x_test, y_test).
bundled: $(VENV)/.dev
	$(BIN)/python -m onnxray.models.bundled_pair $(FASHION_MNIST) -o models/bundled

# Scan third-party models whose truth is known, and print the table.
suspects: $(VENV)/.dev
	$(BIN)/python -m onnxray.models.suspects $(SUSPECTS)/suspects --data $(SUSPECTS)/data
	$(BIN)/python -m onnxray.models.suspects $(SUSPECTS)/suspects --data $(SUSPECTS)/data --part catalog

operators: $(VENV)/.dev
	$(BIN)/python -m onnxray.models.conversion.operator_table > docs/operators.md

# The exporters do not go together, so each framework writes its models from an environment of its own. One that cannot
# be installed or does not export leaves its families out of the report, which says so.
ZOO ?= conversion-zoo
EXPORTERS := torch keras jax paddle
EXTRAS_torch := sources
EXTRAS_keras := keras,tflite
EXTRAS_jax := jax,jax-zoo
EXTRAS_paddle := paddle
FAMILIES_torch := timm variants sklearn light
FAMILIES_keras := keras
FAMILIES_jax := jax
FAMILIES_paddle := paddle

conversion-report: $(VENV)/.dev
	@for exporter in $(EXPORTERS); do $(MAKE) $(ZOO)/.$$exporter || echo "$$exporter: not exported"; done
	$(BIN)/python -m onnxray.models.conversion.report --zoo $(ZOO) -o $(REPORTS)/conversion.json \
		$(if $(wildcard $(SUSPECTS)/suspects),--suspects $(SUSPECTS)/suspects --data $(SUSPECTS)/data)
	$(BIN)/python -m onnxray.models.conversion.round_trip \
		$(if $(wildcard $(SUSPECTS)/suspects),--suspects $(SUSPECTS)/suspects)
	$(BIN)/python -m onnxray.models.conversion.speed

$(ZOO)/.%: $(VENV)-%/.installed
	$(VENV)-$*/bin/python -m onnxray.models.conversion.build $(FAMILIES_$*) -o $(ZOO)
	touch $@

$(VENV)-%/.installed: setup.cfg constraints.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install -q $(PIP_OPTIONS) -c constraints.txt torch
	$(@D)/bin/pip install -q $(PIP_OPTIONS) -c constraints.txt -e '.[$(EXTRAS_$*)]'
	touch $@

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
	rm -rf $(VENV) $(VENV)-* build $(REPORTS) *.egg-info
