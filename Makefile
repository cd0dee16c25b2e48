# `make run`: the digits ablation. `make test`: lint, types, tests (with CI=true the slow ones too).
# `make nightly`: the tests that `make test` leaves out, because they search long for rare faults.
VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
MARKERS := not gpu and not nightly$(if $(filter true,$(CI)),, and not slow)

.PHONY: run demo test nightly lint docs lock schema clean

run: $(INSTALLED)
	$(PYTHON) -m orchestrator run studies/ablation.yaml

# A finished ablation, search and label audit, without training.
demo: $(INSTALLED)
	$(PYTHON) -m orchestrator demo

test: lint
	$(PYTHON) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "$(MARKERS) and not ray"
	$(PYTHON) -m pytest -m "$(MARKERS) and ray"

nightly: $(INSTALLED)
	$(PYTHON) -m pytest -m "not gpu and nightly"

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The documentation site in build/site. A broken link is an error.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

# uv installs in well under a minute what takes pip several. Compiled at once, because a study starts
# many processes, and importing torch and Ray from source takes each of them twice as long.
$(INSTALLED): requirements.lock pyproject.toml
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet uv
	$(VENV)/bin/uv pip install --quiet --compile-bytecode --requirement requirements.lock
	$(VENV)/bin/uv pip install --quiet --no-deps --editable .
	touch $@

# Newest versions that pyproject.toml allows, on any platform, without addresses.
lock:
	$(VENV)/bin/uv pip compile --quiet --upgrade --universal --group dev --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml

# What editors complete and check study files by; a test compares it with the models.
schema: $(INSTALLED)
	$(PYTHON) -m orchestrator.study.json_schema > docs/study.schema.json

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache *.egg-info
