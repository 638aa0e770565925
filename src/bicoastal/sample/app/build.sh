#!/bin/sh
# Puts the dependencies into vendor/, as the instances need them: Amazon Linux 2023, Python 3.11. Any machine with pip can
# do it, whatever its own system. For Graviton instances (t4g, m7g, ...) set ARCHITECTURE=aarch64. `bicoastal up` says by
# BICOASTAL_ARCHITECTURE and BICOASTAL_PYTHON that the bundle will run on this machine.
set -eu
rm -rf vendor
exec python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --target vendor \
    --platform "manylinux2014_${BICOASTAL_ARCHITECTURE:-${ARCHITECTURE:-x86_64}}" --implementation cp \
    --python-version "${BICOASTAL_PYTHON:-3.11}" --only-binary=:all: --requirement requirements.txt
