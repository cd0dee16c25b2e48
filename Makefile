# `make run`: the digits ablation. `make test`: lint, types, tests (with CI=true the slow ones too).
VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
MARKERS := $(if $(filter true,$(CI)),not gpu,not gpu and not slow)

.PHONY: run test lint lock clean

run: $(INSTALLED)
	$(PYTHON) -m orchestrator run studies/ablation.yaml

test: lint
	$(PYTHON) -m pytest -m "$(MARKERS)"

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# uv installs in well under a minute what takes pip several.
$(INSTALLED): requirements.lock pyproject.toml
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet uv
	$(VENV)/bin/uv pip install --quiet --requirement requirements.lock
	$(VENV)/bin/uv pip install --quiet --no-deps --editable .
	touch $@

# Newest versions that pyproject.toml allows, on any platform, without addresses.
lock:
	$(VENV)/bin/uv pip compile --quiet --upgrade --universal --group dev --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache *.egg-info
