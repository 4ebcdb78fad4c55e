# `make lab` to learn, `make test` to test; each sets itself up first (tools/setup.sh).

PYTHON_HERE := .venv/bin/python
PORT ?=
LAB_ARGS ?=
PYTEST_ARGS ?=

.PHONY: help lab test notebooks lint readme clean

help:
	@echo 'make lab                open the first lesson in JupyterLab (PORT=8889 for another port)'
	@echo 'make test               run the tests, then every lesson against its stored outputs'
	@echo 'make notebooks          rebuild the lessons from notebooks/src'
	@echo 'make lint               style, types, and whether generated files are up to date'
	@echo 'make readme             rewrite the lesson table of README.md'
	@echo 'make clean              remove .venv and caches; my-course/ and your progress stay'

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

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
