#!/bin/sh
# Runs pytest for `make test`, and passes all arguments to pytest. The tests' files go into a folder that is deleted at the
# end, also after ^C. Environment: PYTHON, and BUILD, QEMU and GDB for the harness.

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
# On a signal, the shell runs these after pytest, which gets the signal too, has cleaned up and ended.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

export PYTHONDONTWRITEBYTECODE=1 PYTEST_DEBUG_TEMPROOT="$folder"
"$PYTHON" -m pytest -c grade/pytest.ini --rootdir=. "$@"
