# Everything a user types. The first target that needs it makes the environment in .venv.
#   make                                  the demo and its report
#   make STUDY="config/carlini2022.yaml"  another study (several files: later ones on top)
#   make DATA_ROOT=/where/data/is ...     where data sets are read from, and downloaded to
PYTHON ?= python3
CORES ?= all
STUDY ?= config/config.yaml
REPORT ?= results/report.html
SETTINGS = --cores $(CORES) --configfile $(STUDY) $(if $(DATA_ROOT),--config data_root=$(DATA_ROOT))

.PHONY: demo report figures test test-all lint bench clean
.DEFAULT_GOAL := demo

demo: .venv/installed
	.venv/bin/snakemake $(SETTINGS)
	@$(MAKE) --no-print-directory report

report: .venv/installed
	.venv/bin/snakemake --report $(REPORT) $(SETTINGS)
	@echo "Open the report in a browser: $(abspath $(REPORT))"

figures: .venv/installed
	.venv/bin/snakemake figures $(SETTINGS)

test: .venv/installed
	.venv/bin/python -m pytest -m "not slow"

test-all: .venv/installed
	.venv/bin/python -m pytest

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/snakefmt --check Snakefile rules
	.venv/bin/snakemake --lint

bench: .venv/installed
	.venv/bin/python benchmarks/run.py

clean:
	rm -rf results .snakemake

.venv/installed: envs/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "miatlas needs Python 3.11 or newer; choose one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing the dependencies into .venv (once; torch is large: some minutes, 6 GB) ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check -r envs/requirements.lock
	@touch $@
