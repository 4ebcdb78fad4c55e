#!/bin/sh
# Makes .venv-site, which builds the site, and keeps it in step with site/requirements.txt. PYTHON=python3.12 chooses one.
set -u
cd "$(dirname "$0")/.." || exit 1
venv=.venv-site
stamp=$venv/.gpucourse-site

fail() { printf 'site: %s\n' "$*" >&2; exit 1; }
fingerprint() { { pwd -P; cat site/requirements.txt; } | cksum; }

[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ] && [ -x $venv/bin/python ] && exit 0
rm -rf "$venv"
echo "site: making $venv; about 250 MB, a minute, once"
"${PYTHON:-python3}" -m venv "$venv" || fail "no environment could be made. Next step: apt-get install python3-venv"
$venv/bin/python -m pip install --quiet --disable-pip-version-check -r site/requirements.txt 2>"$venv/setup.log" ||
    fail "$(grep -i error "$venv/setup.log" | tail -n 1) Next step: read $venv/setup.log and repeat"
fingerprint >"$stamp"
