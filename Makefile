# make study: set up, and run the default study to its figures.   make test: set up, and run all tests.
# make pretrained-demo: set up, train a small network, and see which of its layers serve another data set.
# make setup: only set up.   make clean: remove what was set up; results stay.
# make check: formatting, lint and types.   make docs: write docs/configuration.md from the schema and config.yaml.
# make benchmark NAME=h100: measure this machine, into benchmarks/results/*_h100.csv; an hour or more.
# make gpu-check NAME=h100 MINUTES=9: whether all is right on a GPU, and how fast; with .venv if it is there.
# PYTHON=python3.12 make study picks another Python (3.11 or newer).

PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup study pretrained-demo test check format docs benchmark gpu-check clean
.DELETE_ON_ERROR:

setup: .venv/installed

study: .venv/installed
	$(BIN)/snakemake --cores all

DEMO_WEIGHTS := results/pretrained-demo-source/networks/whole/seed0/basewhole.safetensors
pretrained-demo: .venv/installed
	$(BIN)/snakemake --cores all $(DEMO_WEIGHTS) --configfile config/pretrained-demo-source.yaml
	$(BIN)/snakemake --cores all --configfile config/pretrained-demo.yaml

test: .venv/installed-dev
	$(BIN)/python -m pytest -m "slow or not slow" --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 25

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

docs: .venv/installed
	PYTHONPATH=workflow/scripts $(BIN)/python -m transferability.study.reference

benchmark: .venv/installed
	@test -n "$(NAME)" || { echo "give the machine a name: make benchmark NAME=h100" >&2; exit 1; }
	for script in throughput layers precisions growth default_study; do \
	  $(BIN)/python benchmarks/$$script.py benchmarks/results/$${script}_$(NAME).csv || exit 1; \
	done

MINUTES ?= 9
gpu-check:
	@test -n "$(NAME)" || { echo "give the machine a name: make gpu-check NAME=h100" >&2; exit 1; }
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) benchmarks/gpu_check.py $(NAME) --minutes $(MINUTES) $(OPTIONS)

clean:
	rm -rf .venv

.venv/installed: requirements.txt constraints.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another: PYTHON=python3.12 make study")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt --constraint constraints.txt
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/pip install --quiet --requirement requirements-dev.txt --constraint constraints.txt
	touch $@
