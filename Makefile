# `make lab` to learn, `make test` to test; each sets itself up first (tools/setup.sh).

PYTHON_HERE := .venv/bin/python
PORT ?=
LAB_ARGS ?=
PYTEST_ARGS ?=
SITE_ARGS ?=

.PHONY: help lab test notebooks lint readme site clean

help:
	@echo 'make lab                open the start page, or where you were, in JupyterLab (PORT=8889 for another port)'
	@echo 'make test               run the tests, then every lesson against its stored outputs'
	@echo 'make notebooks          rebuild the lessons from notebooks/src'
	@echo 'make lint               style, types, and whether generated files are up to date'
	@echo 'make readme             rewrite the lesson table of README.md'
	@echo 'make site               build the site from the stored lessons (SITE_ARGS=--external checks all links)'
	@echo 'make clean              remove .venv, the site and caches; my-course/ and your progress stay'

lab:
	@tools/setup.sh learn
	@$(PYTHON_HERE) -m gpucourse lab $(if $(PORT),--port $(PORT)) $(LAB_ARGS)

test:
	@tools/setup.sh develop
	@tools/test.sh $(PYTEST_ARGS)

notebooks:
	@tools/setup.sh develop
	$(PYTHON_HERE) tools/build_notebooks.py

lint:
	@tools/setup.sh develop
	@tools/lint.sh

readme:
	@tools/setup.sh develop
	$(PYTHON_HERE) tools/build_readme.py

# in an environment of its own: what Jupyter Book asks for is older than what the lessons have
site:
	@tools/setup_site.sh
	@.venv-site/bin/python tools/build_site.py $(SITE_ARGS)

clean:
	rm -rf .venv .venv-site site/_build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
