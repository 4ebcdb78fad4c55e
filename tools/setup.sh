#!/bin/sh
# Makes .venv and keeps it in step with requirements.txt, pyproject.toml and setup.py.
#
#   tools/setup.sh learn      what a learner needs      (make lab)
#   tools/setup.sh develop    and what the tests need   (make test, make lint)
#
# Every failure is one line: what was found, and the next step. A run with nothing to do takes
# a few milliseconds and prints nothing. PYTHON=python3.12 chooses the Python.
set -u

mode=${1:-learn}
room_gb=10     # measured: 6.4 GB stay, and pip needs 3 GB more while it installs
cache_gb=14    # with less than this free, pip's cache of what it downloaded does without its 3 GB
cd "$(dirname "$0")/.." || exit 1
folder=$(pwd -P)
venv=.venv
python=$venv/bin/python
stamp=$venv/.gpucourse-$mode
unfinished=$venv/.gpucourse-unfinished
log=$venv/setup.log

say() { printf '%s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# The folder is part of the fingerprint: an environment does not survive being moved.
fingerprint() { { echo "$folder"; cat requirements.txt pyproject.toml setup.py; } | cksum; }

up_to_date() {
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ] && [ -x "$python" ]
}

# "3.12" for a Python that runs, nothing otherwise (a pyenv shim may exist and not run).
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

good_version() { case $1 in 3.11 | 3.12 | 3.13) true ;; *) false ;; esac; }

can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# Sets `best` to the newest Python that is in range and can make an environment; else explains.
find_python() {
    best='' found='' without_venv=''
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3.13 python3.12 python3.11 python3 python; fi
    for candidate in "$@"; do
        version=$(version_of "$candidate")
        [ -n "$version" ] || continue
        found=$version
        good_version "$version" || continue
        if can_make_venv "$candidate"; then best=$candidate; return; fi
        without_venv=$version
    done
    [ -z "$without_venv" ] || fail "Python $without_venv is here but cannot make an environment (no venv module)." \
        "Next step: on Debian or Ubuntu, sudo apt-get install python$without_venv-venv"
    fail_no_python
}

fail_no_python() {
    next="install Python 3.12 (on Debian or Ubuntu: sudo apt-get install python3 python3-venv), then repeat;"
    next="$next PYTHON=/path/to/python names one that is not on PATH"
    [ -z "${PYTHON:-}" ] || [ -n "$found" ] || fail "PYTHON=$PYTHON does not run. Next step: name a Python 3.11 to 3.13"
    case $found in
        '') fail "no Python was found; the course needs 3.11 to 3.13. Next step: $next" ;;
        3.?|3.10|2.*) fail "Python $found is too old; the course needs 3.11 to 3.13. Next step: $next" ;;
        *) fail "Python $found is newer than the course is tested with (3.11 to 3.13). Next step: $next" ;;
    esac
}

free_gb() { df -Pk . | awk 'NR == 2 { printf "%d", $4 / 1000000 }'; }

require_room() {
    free_gb=$(free_gb)
    [ "$free_gb" -ge "$room_gb" ] || fail "$free_gb GB are free on this disk; the environment needs about $room_gb GB." \
        "Next step: free some space, or clone the course on a larger disk"
}

# What an interrupted first run, an uninstalled Python or a moved folder leaves behind is of no use.
drop_broken() {
    [ -d "$venv" ] || return 0
    if [ -f "$unfinished" ]; then
        say "setup: an earlier run did not finish; .venv is made anew"
    elif ! "$python" -c 'import pip' 2>/dev/null; then
        say "setup: the Python in .venv does not run any more; .venv is made anew"
    elif ! grep -qF "$folder/$venv" "$venv/bin/activate"; then
        say "setup: the folder has moved since .venv was made; .venv is made anew"
    else
        return 0
    fi
    rm -rf "$venv"
}

make_venv() {
    find_python
    require_room
    say "setup: making .venv with Python $(version_of "$best"); about 3 GB to download, some minutes, once"
    mkdir -p "$venv" 2>/dev/null
    { : >"$unfinished"; } 2>/dev/null || fail "cannot write into $folder. Next step: clone the course where you may write"
    "$best" -m venv "$venv" >"$log" 2>&1 || fail_install
}

# pip's temporary files go beside .venv: /tmp is often a small disk in memory.
install() {
    package=.
    [ "$mode" = learn ] || package='.[dev]'
    rm -rf "$venv/tmp"
    mkdir -p "$venv/tmp"
    [ "$(free_gb)" -ge "$cache_gb" ] || export PIP_NO_CACHE_DIR=1
    TMPDIR=$folder/$venv/tmp "$python" -m pip install --disable-pip-version-check \
        -r requirements.txt -e "$package" 2>"$log" || fail_install
    rm -rf "$venv/tmp"
}

fail_install() {
    rm -rf "$venv/tmp"
    saw() { grep -qiE "$1" "$log"; }
    if saw 'no space left on device|errno 28'; then
        fail "the disk is full ($(free_gb) GB left)." \
            "Next step: free about $room_gb GB and repeat"
    elif saw 'name resolution|name or service not known|network is unreachable|connection refused|failed to establish|timed out|proxyerror|nodename nor'; then
        fail "the package index cannot be reached. Next step: check the network (or PIP_PROXY, PIP_INDEX_URL) and repeat;" \
            "what was downloaded is kept"
    elif saw 'permission denied'; then
        fail "no permission to write ($(grep -i 'permission denied' "$log" | tail -n 1)). Next step: give .venv back to you: sudo chown -R \"\$USER\" .venv"
    fi
    cause=$(grep -i error "$log" | tail -n 1)
    fail "${cause:-pip did not finish.} Next step: read $log, or repeat after: rm -rf .venv"
}

case $mode in learn | develop) ;; *) fail "usage: tools/setup.sh learn|develop, not $mode" ;; esac
up_to_date && exit 0
drop_broken
[ -d "$venv" ] || make_venv
good_version "$(version_of "$python")" ||
    fail ".venv holds Python $(version_of "$python"); the course needs 3.11 to 3.13. Next step: rm -rf .venv, then repeat"
install
fingerprint >"$stamp"
[ "$mode" = learn ] || cp "$stamp" "$venv/.gpucourse-learn"
rm -f "$unfinished"
say "setup: ready"
