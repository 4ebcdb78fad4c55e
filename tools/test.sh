#!/bin/sh
# Runs the tests, then every lesson against its stored outputs, and prints how long both took.
# Arguments go to both runs of pytest.  usage: tools/test.sh [-x] [-k WORDS] ...
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$(pwd)/.venv/bin:$PATH
# the kernel of this environment, not one of the same name in the home folder
export PATH JUPYTER_PREFER_ENV_PATH=1

started=$(date +%s)
status=0
OPENBLAS_NUM_THREADS=1 pytest tests "$@" || status=$?      # two BLAS threads on busy cores wait for each other
pytest --nbval notebooks "$@" || status=$?
seconds=$(($(date +%s) - started))
echo "both suites took $((seconds / 60)) min $((seconds % 60)) s"
exit "$status"
