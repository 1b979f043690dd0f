# Two commands do everything: `make book` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

FACES ?= data/my_faces

.PHONY: help book test faces lab html publish upgrade environment

help:
	@echo "make book     set up, run every chapter on real faces, into build/"
	@echo "make test     set up, run every test"
	@echo "make faces    one page about your own photos: make faces FACES=data/my_faces"
	@echo "make lab      open the book in JupyterLab"
	@echo "make html     pages of the executed chapters, in build/html"
	@echo "make publish  for maintainers: put the last make book into notebooks/, img/ and README.md"
	@echo "make upgrade  for maintainers: install the newest versions, and note them in constraints.txt"

book: environment
	@$(BIN)/python -m speculo.book run

test: environment
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest

faces: environment
	@$(BIN)/python -m speculo.own_faces "$(FACES)"

lab: environment
	@$(BIN)/python -m speculo.book lab

html: environment
	@$(BIN)/python -m speculo.book html

publish: environment
	@$(BIN)/python -m speculo.book publish

upgrade: environment
	@$(INSTALL) --upgrade --upgrade-strategy eager -e ".[test,cluster,index]"
	@$(BIN)/python -m pip freeze --exclude-editable > constraints.txt
	@touch $(READY)

# An environment serves the folder that it was made in: in a copy it would run the code of the original, and
# in a renamed folder none. This says why the one in .venv cannot be used here, or nothing if it can.
define CHECK
import importlib.metadata as metadata, json, pathlib, re, urllib.parse

def why():
    if not pathlib.Path(".venv/ready").exists():
        return "setting up was interrupted"
    found = {re.sub("[-_.]+", "-", each.name).lower(): each for each in metadata.distributions()}
    if "speculo" not in found:
        return "speculo is not installed in it"
    made = json.loads(found["speculo"].read_text("direct_url.json") or "{}").get("url", "")
    made = urllib.parse.unquote(made).removeprefix("file://")
    if made != str(pathlib.Path.cwd()):
        return f"it was made for {made or 'another folder'}"
    for wanted in found["speculo"].requires or ():
        name = re.sub("[-_.]+", "-", re.match("[A-Za-z0-9._-]+", wanted)[0]).lower()
        if (";" not in wanted or "test" in wanted.split(";")[1]) and name not in found:
            return f"{name} is not installed in it"
    for name, each in found.items():
        tops = {re.split("[/,]", line)[0] for line in (each.read_text("RECORD") or "").splitlines()}
        if not all(each.locate_file(top).exists() for top in tops - {"__pycache__"}):
            return f"files of {name} are missing"

print(why() or "")
endef
export CHECK

environment:
	@if [ -e $(VENV) ] || [ -L $(VENV) ]; then \
	  why=$$($(BIN)/python -I -c "$$CHECK" 2>/dev/null) || why="its Python does not start"; \
	  if [ -n "$$why" ]; then \
	    echo "$(VENV) is made anew: $$why"; \
	    rm -rf $(VENV) || { echo "It cannot be deleted: delete it by hand"; exit 1; }; \
	  fi; \
	fi
	@$(MAKE) --silent --no-print-directory $(READY)

$(READY): pyproject.toml
	@[ -w . ] || { echo "Nothing can be written into this folder ($$PWD): copy it to one of your own"; exit 1; }
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON). Name a Python with: make book PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed, but " + sys.argv[1] + " is " + sys.version.split()[0] + ". Name another with: make book PYTHON=python3.12")' "$(PYTHON)"
	@echo "Setting up $(VENV): a minute or two, some 700 MB to download"
	@"$(PYTHON)" -m venv $(VENV) || { echo "No virtual environment could be made, for the reason above. If ensurepip is missing, on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(INSTALL) --constraint constraints.txt -e ".[test]" || { echo "The packages could not be installed, for the reason above. They need a package index that pip can reach, and 4 GB on the disk. Then run make again"; exit 1; }
	@mkdir -p $(VENV)/etc/jupyter/labconfig # JupyterLab would ask whether it may fetch news
	@echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' > $(VENV)/etc/jupyter/labconfig/page_config.json
	@touch $(READY)
