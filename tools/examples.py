"""`make examples`: write examples/orders anew: what `init` gives a newcomer, and what `synth` makes of it.

The committed result is what people read before they install anything; `tests/test_examples.py` fails when it is stale.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.write import render, write_deployment
from bicoastal.spec.load import load
from bicoastal.spec.starter import write_starter

ORDERS = Path(__file__).resolve().parent.parent / "examples" / "orders"


def deployment_files() -> dict[str, str]:
    """What `synth` makes of the committed spec: path in the folder to text."""
    return render(compose(load(ORDERS / "bicoastal.yaml")))


def main() -> None:
    """Replace the example by what the commands write today."""
    shutil.rmtree(ORDERS, ignore_errors=True)
    ORDERS.mkdir(parents=True)
    write_starter(ORDERS)
    write_deployment(compose(load(ORDERS / "bicoastal.yaml")), ORDERS / "deployment")


if __name__ == "__main__":
    main()
