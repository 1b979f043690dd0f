# Two commands do everything: `make book` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help book test lab html publish upgrade

help:
	@echo "make book     set up, run every chapter on real faces, into build/"
	@echo "make test     set up, run every test"
	@echo "make lab      open the book in JupyterLab"
	@echo "make html     pages of the executed chapters, in build/html"
	@echo "make publish  for maintainers: put the last make book into notebooks/, img/ and README.md"
	@echo "make upgrade  for maintainers: install the newest versions, and note them in constraints.txt"

book: $(READY)
	@$(BIN)/python -m speculo.book run

test: $(READY)
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m pytest

lab: $(READY)
	@$(BIN)/python -m speculo.book lab

html: $(READY)
	@$(BIN)/python -m speculo.book html

publish: $(READY)
	@$(BIN)/python -m speculo.book publish

upgrade: $(READY)
	@$(INSTALL) --upgrade --upgrade-strategy eager -e ".[test]"
	@$(BIN)/python -m pip freeze --exclude-editable > constraints.txt
	@touch $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed, but $(PYTHON) is " + sys.version.split()[0] + ". Name another with: make book PYTHON=python3.12")'
	@echo "Setting up $(VENV): a minute or two, some 700 MB to download"
	@$(PYTHON) -m venv $(VENV) || { echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(INSTALL) --constraint constraints.txt -e ".[test]"
	@touch $(READY)
