#!/usr/bin/env bash
# Makes the virtual environment .venv with this project and, with "test" as argument, what its tests need.
# On a fresh Debian machine the venv module is a package of its own: it is installed when we may.
set -euo pipefail
cd "$(dirname "$0")/.."
extra="${1:-}"
python="${PYTHON:-python3}"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

if ! command -v "$python" >/dev/null || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if command -v apt-get >/dev/null; then
        as_root env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq && apt-get install -y -qq python3 python3-venv' >/dev/null \
            || { echo "ps315: install python3 (3.11 or newer) and python3-venv first" >&2; exit 1; }
    fi
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || { echo "ps315: needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }

[ -x .venv/bin/python ] || "$python" -m venv .venv
stamp=".venv/.installed${extra:+-$extra}"
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    echo "installing ps315${extra:+ and what its tests need} into .venv ..."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".${extra:+[$extra]}"
    touch "$stamp" .venv/.installed
fi
