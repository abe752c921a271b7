# Makes the virtual environment and installs its packages. Called by make:
#
#     sh dev/install.sh venv    makes .venv with a suitable Python
#     sh dev/install.sh         installs the pinned dependencies and marks .venv as complete
#
# Not written in Python, because there may be none yet.
set -eu

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3.14 python3.13 python3.12 python3.11 python3 python
    fi
    # A version manager's shim may exist without working, so run each candidate.
    for candidate in "$@"; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    if [ -n "${PYTHON:-}" ]; then
        echo "PYTHON=$PYTHON is not a working Python 3.11 or newer." >&2
    else
        echo "FicPay needs Python 3.11 or newer, and none was found." >&2
        echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python)," >&2
        echo "or give the path of another one: make PYTHON=/path/to/python3" >&2
    fi
    exit 1
}

make_venv() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$python cannot create virtual environments: its modules venv and ensurepip are missing." >&2
        echo "Install them (Debian, Ubuntu: apt install python$version-venv) and try again." >&2
        exit 1
    fi
    echo "Making the virtual environment .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
}

install() {
    echo "Installing the pinned dependencies (a minute or two the first time)"
    # -qq: print only errors.
    .venv/bin/python -m pip --disable-pip-version-check install -qq -r requirements-dev.txt
    touch .venv/.installed
}

case "${1:-}" in
    venv) make_venv ;;
    *) install ;;
esac
