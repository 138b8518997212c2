# `make demo` and `make test` set up everything they need, once, in .venv; nothing outside this folder is changed.

VENV := .venv
BIN  := $(VENV)/bin
# Which Python .venv is made with, where there is no .venv yet: PYTHON=/path/to/python make demo
PYTHON ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test quick check robust bench clean

help:  ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(VENV)/.train  ## draw faces, ingest, merge, train and judge a model: about a minute, on a CPU
	@$(BIN)/python -m ferdata.cli demo $(ARGS)

test: check  ## what CI runs: the checks, then every test
	@$(BIN)/python -m pytest -n 2 $(ARGS)

quick: $(VENV)/.dev  ## the tests that take less than ten seconds each
	@$(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

# A new seed each time; SEED=7 gives it, PART=0.1 runs a tenth of the cases, ARGS goes to pytest.
robust: $(VENV)/.dev  ## broken and hostile inputs, kills, full disks: every case, about an hour on two cores
	@seed=$(or $(SEED),$$(date +%s)); figures=$$(mktemp); echo "seed $$seed: make robust SEED=$$seed"; \
	FERDATA_ROBUST=whole FERDATA_ROBUST_SEED=$$seed FERDATA_ROBUST_PART=$(or $(PART),1) FERDATA_ROBUST_FIGURES=$$figures \
		$(BIN)/python -m pytest -n 2 tests/robust $(ARGS); ended=$$?; rm -f "$$figures"; exit $$ended

check: $(VENV)/.dev  ## format, lint, types, and who may import whom
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/python -m mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/.train benchmarks/.venv/.peers  ## every figure of speed, against its peers: about ten minutes
	@$(BIN)/python benchmarks/run.py $(ARGS)

clean:  ## remove .venv, caches and what the demo wrote; manifests and runs stay
	rm -rf $(VENV) benchmarks/.venv demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find ferdata zoo tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of libraries, written last: an interrupted install is done again, a finished one is not.
$(VENV)/.train $(VENV)/.dev: pyproject.toml constraints.txt
	@$(find_python)
	@echo "Installing ferdata$(if $(filter %.dev,$@), and its tests) with $$($(BIN)/python -V) into $(VENV):" \
		"some minutes and 6 to 7 GB on disk, most of it PyTorch with its GPU libraries. Only once."
	@[ -t 1 ] || quiet=-q; $(BIN)/python -m pip install $$quiet -c constraints.txt -e ".[$(patsubst .%,%,$(notdir $@))]"
	@touch $@ $(if $(filter %.dev,$@),$(VENV)/.train)

benchmarks/.venv/.peers: benchmarks/requirements.txt constraints.txt $(VENV)/.train
	@sh benchmarks/peers.sh $(BIN)/python
	@touch $@

# A .venv that works is kept. Else the first Python of 3.11 or newer makes one.
define find_python
if $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then exit 0; fi; \
python=; for each in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
	if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$each"; break; fi; \
done; \
if [ -z "$$python" ]; then \
	echo "ferdata needs Python 3.11 or newer, and none of python3.11, python3.12, python3.13, python3 is one." >&2; \
	echo "Install one, or name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; \
fi; \
"$$python" -m venv --clear $(VENV) || { \
	rm -rf $(VENV); \
	echo "$$python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
endef
