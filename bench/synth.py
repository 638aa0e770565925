"""The bar of `synth`: whole process, both regions, in 0.5 s and in a tenth of what the Python CDK takes for the same.

Both are started as a user starts them, in one run, the CDK with the same resource types, counts and properties. The CDK
needs Node.js and an environment of its own: `make bench-setup`. Prints ratios; exits 1 when a bar is missed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.spec.load import load

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "examples" / "orders" / "bicoastal.yaml"
LIMIT_S = 0.5
LIMIT_RATIO = 0.1


def seconds(command: list[str], runs: int) -> list[float]:
    """Wall time of each run of a command, in seconds. A first run, which compiles and fills caches, is not counted."""
    taken = []
    for attempt in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, timeout=300, env={**os.environ, "JSII_SILENCE": "1"})
        if attempt:
            taken.append(time.perf_counter() - start)
    return taken


def main() -> int:
    """Measure both, print, and judge."""
    deployment = compose(load(SPEC))
    stacks = {
        f"{stack.kind}-{region}": {name: strip_comments(body) for name, body in stack.document["Resources"].items()}
        for stack in deployment.stacks
        for region in stack.regions
    }
    with tempfile.TemporaryDirectory() as scratch:
        resources = Path(scratch) / "resources.json"
        resources.write_text(json.dumps(stacks))
        ours = seconds(
            [str(ROOT / ".venv/bin/bicoastal"), "synth", "--spec", str(SPEC), "-o", f"{scratch}/deployment"], runs=9
        )
        cdk_python = ROOT / ".venv-cdk" / "bin" / "python"
        if not cdk_python.exists():
            print("The CDK's environment is not there: run `make bench-setup`.", file=sys.stderr)
            return 2
        cdk_app = str(ROOT / "bench" / "cdk_app.py")
        theirs = seconds([str(cdk_python), cdk_app, str(resources), f"{scratch}/cdk.out"], runs=2)
    count = sum(map(len, stacks.values()))
    mine, cdk = statistics.median(ours), statistics.median(theirs)
    print(f"{count} resources in {len(stacks)} stacks, both regions, whole process")
    print(f"bicoastal synth  median {mine:6.3f} s  (min {min(ours):.3f}, max {max(ours):.3f}, {len(ours)} runs)")
    print(f"Python CDK       median {cdk:6.3f} s  (min {min(theirs):.3f}, max {max(theirs):.3f}, {len(theirs)} runs)")
    print(f"limit            {mine / LIMIT_S:6.2f} of {LIMIT_S} s")
    print(f"ratio            {mine / cdk:6.3f} of the CDK's time (limit {LIMIT_RATIO})")
    return 0 if mine <= LIMIT_S and mine / cdk <= LIMIT_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
