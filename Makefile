# Two commands: `make run` starts the app on the demo model, `make test` checks everything.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Where pip finds a CPU build of torch by itself, nothing else is needed; elsewhere, for the small build:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make run
PIP    := $(BIN)/pip --disable-pip-version-check install --quiet

.PHONY: run test check fix system clean demo trials

run: $(VENV)/.run
	$(BIN)/python app.py

# First what needs no browser, two files at a time with one thread each; then the browser's, which want quiet cores.
test: $(VENV)/.test system check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not browser" -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m browser

check: $(VENV)/.test
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .

fix: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.run: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.txt
	touch $@

$(VENV)/.test: requirements-test.txt $(VENV)/.run
	$(PIP) -r requirements-test.txt
	touch $@

# A browser and a Bengali font for the browser tests, from Debian's packages, only where they are missing.
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
system:
	@missing=""; \
	command -v chromium-headless-shell >/dev/null || missing="$$missing chromium-headless-shell"; \
	fc-list ":lang=bn" 2>/dev/null | grep -q . || missing="$$missing fonts-noto-core fontconfig"; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

# The demo adapter again, by the ordinary recipe; the base is described in assets/demo/README.md.
demo: $(VENV)/.run
	$(BIN)/python -m finetune.demo.corpus
	$(BIN)/python -m finetune.demo.adapter

# What takes too long for a test: about an hour and a half on two cores; results are written to trials/results/.
trials: $(VENV)/.test
	$(BIN)/python -m trials

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
