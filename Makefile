# Everything a user types. The first target that needs it makes the environment in .venv.
#   make                                  the demo and its report
#   make STUDY="config/carlini2022.yaml"  another study (several files: later ones on top)
#   make DATA_ROOT=/where/data/is ...     where data sets are read from, and downloaded to
#   make new AUDIT=mine                   a folder with the audit of a model that exists
PYTHON ?= python3
CORES ?= all
STUDY ?= config/config.yaml
REPORT ?= results/report.html
# How many GPUs jobs may use at once: those of this machine, or of CUDA_VISIBLE_DEVICES.
comma = ,
ifneq ($(origin CUDA_VISIBLE_DEVICES),undefined)
GPUS ?= $(words $(filter-out -1,$(subst $(comma), ,$(CUDA_VISIBLE_DEVICES))))
else
GPUS ?= $(shell nvidia-smi -L 2> /dev/null | grep -c ^GPU)
endif
# How much memory (MB) jobs may ask for at once: nine tenths of this machine's.
MEMORY ?= $(shell awk '/^MemTotal/ {print int(0.9 * $$2 / 1024)}' /proc/meminfo 2> /dev/null)
$(foreach file,$(STUDY),$(if $(wildcard $(file)),,$(error STUDY: there is no file $(file))))
WHAT = --configfile $(STUDY) $(if $(DATA_ROOT),--config data_root=$(DATA_ROOT))
SETTINGS = --cores $(CORES) --resources gpu=$(GPUS) $(if $(MEMORY),mem_mb=$(MEMORY)) $(WHAT)

# Snakemake keeps copies of sources in the home folder, and does not start where it cannot.
ifneq ($(shell test -w "$${XDG_CACHE_HOME:-$$HOME}" && echo writable),writable)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif

.PHONY: demo report figures attacks new schema ledger slurm plan readable test test-all test-slurm \
	test-browser docs lint bench coverage check gpu gpu-alone clean
.DEFAULT_GOAL := demo

# Snakemake reads the files of a study before anything here does, and fails on some without a reason.
readable: .venv/installed
	@.venv/bin/python scripts/check_files.py $(STUDY)

demo: readable
	.venv/bin/snakemake --report $(REPORT) --report-after-run $(SETTINGS)
	@.venv/bin/python scripts/name_pages.py $(REPORT) $(STUDY)

report: readable
	.venv/bin/snakemake --report $(REPORT) $(SETTINGS)
	@.venv/bin/python scripts/name_pages.py $(REPORT) $(STUDY)

figures: readable
	.venv/bin/snakemake figures $(SETTINGS)

# Every attack: whose it is, what it needs, its options.
attacks: .venv/installed
	@.venv/bin/python scripts/list_attacks.py

# A folder with the audit of a model that exists, which runs at once: make new AUDIT=mine; of an
# estimator on a table: make new AUDIT=mine KIND=estimator
new: .venv/installed
	$(if $(AUDIT),,$(error AUDIT: name the folder: make new AUDIT=mine))
	@.venv/bin/python scripts/new_audit.py "$(AUDIT)" $(KIND)

# What editors check studies by, and the reference of their keys, out of the code.
schema: .venv/installed
	.venv/bin/python scripts/write_schema.py

# The ledgers of several studies on one page: make ledger RESULTS="results/shi2024_small ..."
ledger: .venv/installed
	$(if $(RESULTS),,$(error RESULTS: name folders of results that have a ledger))
	@.venv/bin/python scripts/join_ledgers.py $(RESULTS)

# The same on a Slurm cluster; edit the profile first.
slurm: .venv-slurm/installed readable
	.venv-slurm/bin/python -m snakemake --profile profiles/slurm $(WHAT)

plan: readable
	.venv/bin/python scripts/plan_study.py $(SETTINGS)

# A worker a core, each on one thread; a test that is late goes to whoever has nothing left to do.
PYTEST = OMP_NUM_THREADS=1 .venv/bin/python -m pytest
PARALLEL = $(PYTEST) -n auto --dist worksteal
test: .venv/installed
	$(PARALLEL) -m "not slow and not slurm"

test-all: .venv/installed
	$(PARALLEL) -m "not slurm"
	$(PYTEST) -m slurm

test-slurm: .venv-slurm/installed
	MIATLAS_SLURM=1 $(PYTEST) tests/slurm

# The page that answers, in a real browser (Chromium has to be there).
test-browser: .venv-browser/installed
	MIATLAS_BROWSER=1 OMP_NUM_THREADS=1 .venv-browser/bin/python -m pytest tests/browser

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/snakefmt --check Snakefile rules
	.venv/bin/snakemake --lint

# The site: results/site/index.html, to be opened or served.
docs: .venv-docs/installed
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build --quiet
	@echo "Open the site in a browser: $(abspath results/site/index.html)"

bench: .venv/installed
	.venv/bin/python benchmarks/run.py

# How often each interval that is printed holds the truth: benchmarks/coverage.json, docs/coverage.md.
coverage: .venv/installed
	.venv/bin/python benchmarks/coverage.py

# All that a GPU is for, on a machine with one: the engines against its peaks (benchmarks/README.md),
# then 256 models of the recipe `fast` on CIFAR-10, timed alone, then the paper's wide ResNets beside.
FAST = "config/carlini2022.yaml config/carlini2022_fast.yaml"
ALONE = results/carlini2022_fast/exhibits/carlini2022_fast/carlini2022_fast_alone.md
gpu: .venv/installed
	.venv/bin/python benchmarks/gpu.py
	@$(MAKE) --no-print-directory STUDY=$(FAST) gpu-alone
	@$(MAKE) --no-print-directory STUDY=$(FAST) REPORT=results/gpu.html demo

gpu-alone: .venv/installed
	.venv/bin/snakemake --until prepare_population $(SETTINGS)
	start=$$(date +%s); .venv/bin/snakemake $(ALONE) $(SETTINGS) && \
		echo "256 models of the recipe fast: $$(($$(date +%s) - start)) s, data set aside"
	@cat $(ALONE)

# Makes the study, and says whether what it found is within its tolerance: exit status 0, 1 (beyond),
# 2 (cannot be told), 3 (the study names none).
check: demo
	.venv/bin/python scripts/check_tolerance.py $(STUDY)

clean:
	rm -rf results .snakemake

.venv/installed: envs/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "miatlas needs Python 3.11 or newer; choose one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing the dependencies into .venv (once; torch is large: some minutes, 6 GB) ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check -r envs/requirements.lock
	@touch $@

# What only some need lies beside the default environment, which sees nothing of it: Snakemake's Slurm
# plugin (with it every start of Snakemake asks the cluster, and waits where none answers), MkDocs,
# Playwright with axe.
.venv-%/installed: .venv/installed envs/%.lock
	@.venv/bin/python -m venv --without-pip .venv-$*
	@.venv/bin/python -c 'import site; print(site.getsitepackages()[0])' > \
		"$$(.venv-$*/bin/python -c 'import site; print(site.getsitepackages()[0])')/default.pth"
	@.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r envs/$*.lock
	@touch $@
