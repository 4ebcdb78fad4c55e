#!/bin/sh
# Runs the tests, then those in the browser, then every lesson against its stored outputs; prints how long they took.
# Arguments go to each run of pytest.  usage: tools/test.sh [-x] [-k WORDS] ...
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$(pwd)/.venv/bin:$PATH
# the kernel of this environment, not one of the same name in the home folder
export PATH JUPYTER_PREFER_ENV_PATH=1

status=5     # pytest's word for no test at all, which one run may say of -k WORDS, but not all
run() {
    "$@"
    case $? in
        5) ;;
        0) [ "$status" -ne 5 ] || status=0 ;;
        *) status=1 ;;
    esac
}

started=$(date +%s)
# as many files at a time as there are cores, four at most: a worker grows to some 3 GB. Each has one thread: two on busy
# cores wait for each other, in BLAS as in PyTorch. A browser with its server and kernel keeps two cores busy by itself
workers=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
[ "$workers" -le 4 ] || workers=4
run env OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 pytest tests --ignore=tests/browser \
    -n "$workers" --dist loadgroup --no-loadscope-reorder "$@"
run env OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 pytest tests/browser "$@"
run pytest --nbval notebooks "$@"
seconds=$(($(date +%s) - started))
echo "all three runs took $((seconds / 60)) min $((seconds % 60)) s"
exit "$status"
