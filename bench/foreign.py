"""Other people's templates: none makes `review` stumble or wait, and findings drawn from them for somebody to judge.

`python -m bench.foreign FOLDER... [--draw N] [--seed N]` reviews every template below the folders by itself, in one
process, as `review FILE` does (`single-region-web`, without AWS's schema pass), and prints how many there were, how
long they took and which took longest. `--draw` then picks errors and warnings by a seeded draw, one of each file and
rule at most, with twins of a file (the same text, or YAML and JSON of one name) counted once. Exits 1 when a bar is
missed: an exception of any kind, a rule that failed, a template over 5 s, more than 20 s for 3,400 of them.

The templates are not kept here. docs/judged-findings.md says which were read, and what was found true.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from bicoastal.cfn.load import read_all
from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Severity
from bicoastal.review.demand import single_region_web
from bicoastal.review.findings import FAILED
from bicoastal.review.formats.text import as_text
from bicoastal.review.reviewed import review

LONGEST_S = 5.0
PER_TEMPLATE_S = 20 / 3400
_ENDINGS = (".yaml", ".yml", ".json", ".template")


@dataclass
class Tally:
    """What came of it."""

    templates: int = 0
    others: int = 0
    """No templates, or not to be read: said so, not stumbled over."""
    seconds: list[tuple[float, str]] = field(default_factory=list)
    """CPU of this process, by file."""
    stumbled: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def main() -> int:
    """Review, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.foreign")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--draw", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    tally = Tally()
    seen: set[bytes] = set()
    for path in sorted(path for folder in given.folders for path in folder.rglob("*") if path.suffix in _ENDINGS):
        _one(path, tally, seen)
    total = sum(seconds for seconds, _ in tally.seconds)
    print(f"{tally.templates} templates, {total:.1f} s of CPU ({1000 * total / max(1, tally.templates):.1f} ms each)")
    print(f"{tally.others} other files that were passed over or refused with a word")
    for seconds, file in sorted(tally.seconds, reverse=True)[:3]:
        print(f"    {seconds:.2f} s {file}")
    for text in tally.stumbled:
        print(f"STUMBLED: {text}")
    serious = [item for item in tally.findings if item.severity is not Severity.INFO]
    print(f"{len(serious)} errors and warnings in {len({item.template for item in serious})} templates")
    for rule in sorted({item.rule for item in serious}):
        print(f"    {sum(item.rule == rule for item in serious):>5} {rule}")
    if given.draw:
        _draw(serious, given.draw, given.seed)
    slow = total > PER_TEMPLATE_S * max(tally.templates, 1) or max(tally.seconds, default=(0.0, ""))[0] > LONGEST_S
    print("BAR MISSED" if slow or tally.stumbled else "no crash, none too slow")
    return 1 if slow or tally.stumbled else 0


def _one(path: Path, tally: Tally, seen: set[bytes]) -> None:
    start = time.process_time()
    try:
        reading = read_all([path])
        done = review(reading, lambda deployment: single_region_web(deployment.home or "us-east-1"))
        list(as_text(done.rows, done.deployment, done.findings, demand=done.demand, source="-"))
    except InputError:
        tally.others += 1
        return
    except Exception:
        tally.stumbled.append(f"{path}\n{traceback.format_exc()}")
        return
    tally.templates += 1
    tally.seconds.append((time.process_time() - start, str(path)))
    tally.stumbled += [f"{path}: {item.detail}" for item in done.findings if item.rule == FAILED]
    digest = hashlib.sha256(path.read_bytes()).digest()
    if digest not in seen:
        seen.add(digest)
        tally.findings += done.findings


def _draw(findings: list[Finding], number: int, seed: int) -> None:
    """One of each rule and file at most: otherwise a large template would be judged again and again."""
    once = {(item.template.rpartition(".")[0], item.rule): item for item in findings if item.template}
    chosen = sorted(once)
    random.Random(seed).shuffle(chosen)
    for key in chosen[:number]:
        item = once[key]
        line = item.location.position.line if item.location.position else 0
        print(f"\n{item.template}:{line} {item.resource}\n    {item.severity} {item.rule}\n    {item.detail}")


if __name__ == "__main__":
    sys.exit(main())
