"""`make demo`: what a newcomer does on the first day, in a temporary folder, ending by itself.

It types the commands that the README names, shows what they print, then lets the field's validators judge the result.
Exits with 1 when anything does not hold.
"""

from __future__ import annotations

import collections
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bicoastal.cfn.manifest import Manifest
from bicoastal.core.findings import Finding
from tools import validators

_BICOASTAL = Path(sys.executable).with_name("bicoastal")


def main() -> int:
    """Run the demo; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="bicoastal-demo-") as scratch:
        home = Path(scratch)
        failed = [words for words in (["init"], ["synth"], ["review", "deployment"]) if not _run(words, home)]
        if failed:
            print(f"bicoastal {' '.join(failed[0])} did not hold; see above.")
            return 1
        manifest = Manifest.from_json((home / "deployment" / "manifest.json").read_text())
        _print_graph(manifest)
        return 1 if _validate(home / "deployment", list(manifest.regions)) else 0


def _run(words: list[str], folder: Path) -> bool:
    print(f"\n$ bicoastal {' '.join(words)}", flush=True)
    return subprocess.run([_BICOASTAL, *words], cwd=folder, check=False, timeout=120).returncode == 0


def _print_graph(manifest: Manifest) -> None:
    """Which stack comes after which, so that a reader sees the whole before reading any part."""
    print("\nThe stack graph (each after what it needs):")
    regions: dict[str, list[str]] = collections.defaultdict(list)
    needs: dict[str, set[str]] = collections.defaultdict(set)
    for entry in manifest.stacks:
        kind, _, region = entry.id.partition("/")
        regions[kind].append(region)
        needs[kind].update(need.partition("/")[0] for need in entry.needs)
    width = max(map(len, regions))
    for kind, places in regions.items():
        after = ", ".join(sorted(needs[kind] - {kind})) or "nothing"
        print(f"  {kind:<{width}}  {' + '.join(places):<22}  after {after}")


def _validate(folder: Path, regions: list[str]) -> int:
    """What the field's validators find; prints a line for each and returns how many findings there are."""
    templates = sorted((folder / "templates").glob("*.yaml"))
    checks: dict[str, Callable[[], list[Finding]]] = {
        "cfn-lint": lambda: validators.cfn_lint(templates, regions),
        "cloudformation-validate": lambda: validators.cloudformation_validate(templates, regions),
        "checkov": lambda: validators.checkov(folder / "templates"),
    }
    print(f"\nThe field's validators on {len(templates)} templates in {' and '.join(regions)}:")
    total = 0
    for name, check in checks.items():
        start = time.perf_counter()
        print(f"  {name:<24}", end="", flush=True)
        findings = check()
        print(
            f"{len(findings) or 'no'} finding{'' if len(findings) == 1 else 's'}  ({time.perf_counter() - start:.1f} s)"
        )
        for finding in findings:
            print(f"    {finding.rule} {finding}")
        total += len(findings)
    return total


if __name__ == "__main__":
    sys.exit(main())
