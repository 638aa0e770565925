"""`make demo`: what a newcomer does on the first day, in a temporary folder, ending by itself.

It types the commands that the README names: writes the sample, builds both regions, reviews them, then loses us-east-1
under load on this machine, fails over, brings everything home, and shows what it cost. Exits with 1 when anything does
not hold. Nothing is left but one HTML file with the time line.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

_BICOASTAL = Path(sys.executable).with_name("bicoastal")
_COMMANDS = (("init",), ("synth",), ("review", "deployment"))
_COMMAND_S = 120
_DRILL_S = 900
"""A machine that does much else beside: on an idle one it is a minute or two."""


def main() -> int:
    """Run the demo; returns the exit code."""
    begun = time.monotonic()
    plot = Path(tempfile.gettempdir()) / "bicoastal-demo.html"
    with tempfile.TemporaryDirectory(prefix="bicoastal-demo-") as scratch:
        for words in _COMMANDS:
            if not _run(words, Path(scratch), _COMMAND_S):
                print(f"bicoastal {' '.join(words)} did not hold; see above.")
                return 1
        held = _run(("drill", "region-loss", "--format", "html", "-o", str(plot)), Path(scratch), _DRILL_S)
    print(f"\nThe demo took {time.monotonic() - begun:.0f} s, and everything that it started has ended.")
    print(f"Open {plot} for the time line; `bicoastal up` starts the same two regions for you to look at.")
    return 0 if held else 1


def _run(words: tuple[str, ...], folder: Path, within_s: float) -> bool:
    print(f"\n$ bicoastal {' '.join(words)}", flush=True)
    return subprocess.run([_BICOASTAL, *words], cwd=folder, check=False, timeout=within_s).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
