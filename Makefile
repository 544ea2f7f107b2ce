# Everything a user types. The first target that needs it makes the environment in .venv.
PYTHON ?= python3
CORES ?= all
STUDY ?= config/config.yaml
RUN := .venv/bin/snakemake --cores $(CORES) --configfile $(STUDY)

.PHONY: demo report figures test test-all lint bench clean
.DEFAULT_GOAL := demo

demo: .venv/installed
	$(RUN)
	@$(MAKE) --no-print-directory report

report: .venv/installed
	$(RUN) --report results/report.html
	@echo "The report: $(CURDIR)/results/report.html"

figures: .venv/installed
	$(RUN) figures

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
	@echo "Installing the dependencies into .venv (once; torch is large) ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check -r envs/requirements.lock
	@touch $@
