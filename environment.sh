#!/bin/sh
# The environment in .venv: the packages that requirements.txt pins, on Python 3.11 or 3.10, and
# those of requirements-remotes.txt where a DVC remote or a bucket needs them, and of
# requirements-gpu.txt where the machine has an NVIDIA GPU; GPU=1 and GPU=0 overrule what is found.
# Says nothing and takes no time where it is there and complete.
set -eu
cd "$(dirname "$0")"

FITS='(3, 10) <= sys.version_info < (3, 12) and sys.implementation.name == "cpython"'
RUNS_UV='sys.version_info >= (3, 8)'

fail() {
    echo "environment: $1" >&2
    exit 1
}

# The first Python that meets a condition. Each is run, not just looked up: a pyenv shim of a
# version that is not active has the right name and fails, Debian's python3 may lack ensurepip.
python_that() {
    pyenv=${PYENV_ROOT:-$HOME/.pyenv}/versions
    for python in .python/versions/*/bin/python3.11 python3.11 python3.10 python3 python \
        "$pyenv"/3.11.*/bin/python "$pyenv"/3.10.*/bin/python \
        python3.14 python3.13 python3.12 python3.9 python3.8; do
        if "$python" -c "import ensurepip, sys, venv; sys.exit(not ($1))"; then
            echo "$python"
            return
        fi
    done </dev/null 2>/dev/null
    return 1
}

# Python 3.11 in .python, fetched by uv, which any other Python can install.
bring_python() {
    any=$(python_that "$RUNS_UV") || fail "no usable Python here: install Python 3.11 with its venv \
module (Debian, Ubuntu: apt install python3 python3-venv) and run this again"
    echo "environment: no Python 3.11 or 3.10 here; bringing one into .python with uv" >&2
    rm -rf .python
    "$any" -m venv .python
    sed -n '/^uv==/,/# via/ { s/ ;[^\\]*/ /; p; }' requirements.txt >.python/uv.txt
    {
        .python/bin/python -m pip install --require-hashes -r .python/uv.txt &&
            .python/bin/python -m uv python install --no-bin --install-dir .python/versions 3.11 &&
            python=$(python_that "$FITS")
    } >.python/log 2>&1 || fail "no Python 3.11 or 3.10 here, and uv could not bring one \
(.python/log says why): install Python 3.11 with its venv module and run this again"
}

# A lock is copied last, so that an install that was cut short is not taken for a whole one.
install() {
    .venv/bin/python -m pip install --quiet --require-hashes -r "$1" && cp "$1" ".venv/$1"
}

installed() {
    cmp -s "$1" ".venv/$1"
}

# Whether `dvc remote add` has named one, for everybody or, with --local, for this clone, or the
# pictures come from a bucket.
has_remote() {
    grep -Eqs '^ *url *= *(s3|ssh|webdavs?)://' .dvc/config .dvc/config.local ||
        grep -Eqs '^ *folder: *"?s3://' params.yaml
}

# By what the driver brings on Linux and WSL, as stages/runtime/tensorflow_messages.py decides it.
has_nvidia_gpu() {
    set -- /dev/nvidia[0-9]*
    [ -e "$1" ] || command -v nvidia-smi >/dev/null
}

wants_gpu() {
    case ${GPU:-} in
    0) return 1 ;;
    1) ;;
    "") has_nvidia_gpu ;;
    *) fail "GPU is $GPU; allowed: 1 or 0, whatever the machine has" ;;
    esac
}

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0 PIP_USE_PEP517=1 # one way for every pip
if ! { installed requirements.txt && .venv/bin/python -c ''; }; then
    python=$(python_that "$FITS") || bring_python
    echo "environment: installing requirements.txt into .venv, once, with $("$python" --version)" >&2
    rm -rf .venv
    "$python" -m venv .venv
    install requirements.txt
fi
if has_remote && ! installed requirements-remotes.txt; then
    echo "environment: installing requirements-remotes.txt, for your DVC remote or bucket" >&2
    install requirements-remotes.txt
fi
if wants_gpu && ! installed requirements-gpu.txt; then
    echo "environment: installing requirements-gpu.txt, CUDA for your NVIDIA GPU, some gigabytes" >&2
    install requirements-gpu.txt ||
        fail "CUDA could not be installed, for the reason above; \`GPU=0 make repro\` goes without"
fi
