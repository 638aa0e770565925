"""A campaign: every drill N times, each time with another seed, as `drill all` plays them.

Which are flaky shows here and nowhere else: a drill that held in some runs and not in others is named, with what broke.
`python -m bench.drills [N] [--seed FIRST] [--scenario NAME] [--lanes N] [--pace real]`; `-o FILE` keeps all reports as
JSON. With `--one-by-one` each is played N times without another beside it, on one twin where it leaves no trace: what
it measures is compared with its limit. Exits 3 where one could not be rehearsed, 1 where one broke or a limit was
missed.
"""

from __future__ import annotations

import argparse
import collections
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from bicoastal.cli.drill import LANES, row, script_of
from bicoastal.drill.drill import several
from bicoastal.drill.experiment import Experiment
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.drill.experiments.switchover import PAUSE_S
from bicoastal.drill.lanes import in_order, side_by_side
from bicoastal.drill.report import BROKEN, HELD, UNPLAYED, Report, Unplayed, as_data, verdict
from bicoastal.drill.stage import Script
from bicoastal.twin.pace import FAST, REAL, Pace

SPEC = Path(__file__).resolve().parent.parent / "examples" / "orders" / "bicoastal.yaml"
ROW_S = 900.0
"""Of all drills, at the fast pace on two cores."""
Ended = Report | Unplayed


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description="Every drill, again and again.")
    parser.add_argument("runs", nargs="?", type=int, default=10)
    parser.add_argument("--pace", choices=[FAST.name, REAL.name], default=FAST.name)
    parser.add_argument("--scenario", choices=list(EXPERIMENTS), action="append", help="Instead of all.")
    parser.add_argument("--seed", type=int, default=0, help="Of the first run; each other one's is the next.")
    parser.add_argument("--lanes", type=int, default=LANES, help="Twins side by side.")
    parser.add_argument("--one-by-one", action="store_true")
    parser.add_argument("-o", dest="output", type=Path)
    given = parser.parse_args()
    chosen = [EXPERIMENTS[name] for name in given.scenario or EXPERIMENTS]
    found: dict[str, list[Ended]] = collections.defaultdict(list)
    number: collections.Counter[str] = collections.Counter()
    rows_s: list[float] = []
    for ended in _one_by_one(chosen, given) if given.one_by_one else _in_rows(chosen, given, rows_s):
        found[ended.scenario].append(ended)
        number[ended.scenario] += 1
        print(f"{number[ended.scenario]:>3} {ended.scenario:<32} {verdict(ended)}", flush=True)
        for line in _why(ended):
            print(f"      {line}", flush=True)
        if given.output is not None:
            kept = [as_data(one) for ends in found.values() for one in ends if isinstance(one, Report)]
            given.output.write_text(json.dumps({"drills": kept}, indent=1) + "\n")
    code = _summary(found)
    in_time = _pauses(found) if given.one_by_one else not _whole(chosen) or max(rows_s, default=0.0) <= ROW_S
    return code or (0 if in_time else 1)


def _in_rows(chosen: Sequence[Experiment], given: argparse.Namespace, rows_s: list[float]) -> Iterator[Ended]:
    """What each took is left in `rows_s`."""
    for seed in range(given.seed, given.seed + given.runs):
        began = time.monotonic()
        play = partial(row, SPEC, given.pace, seed)
        yield from side_by_side(in_order(chosen), play, given.lanes)
        rows_s.append(took := time.monotonic() - began)
        of = f", ratio to the limit of {ROW_S:g} s {took / ROW_S:.2f}" if _whole(chosen) else ""
        print(f"    the row of seed {seed} took {took:.0f} s{of}", flush=True)


def _whole(chosen: Sequence[Experiment]) -> bool:
    return len(chosen) == len(EXPERIMENTS)


def _one_by_one(chosen: Sequence[Experiment], given: argparse.Namespace) -> Iterator[Ended]:
    def script_for(experiment: Experiment) -> Script:
        if experiment.asks:
            raise SystemExit(f"{experiment.name} asks for a spec of its own")
        return script_of(SPEC)

    again = [one for one in chosen for _ in range(given.runs)]
    return several(again, script_for, Pace.named(given.pace), seed=given.seed, tell=lambda _: None)


def _pauses(found: Mapping[str, Sequence[Ended]]) -> bool:
    """Of switchovers, beside their limit."""
    seconds = [
        one for ends in found.values() for ended in ends if isinstance(ended, Report)
        for one in ended.notes.get("pauses_s", ())
    ]  # fmt: skip
    if not seconds:
        return True
    median = statistics.median(seconds)
    held = bool(median <= PAUSE_S)
    print(f"{len(seconds)} switchovers: writes pause for {median:.2f} s at the median, {min(seconds):.2f} to "
          f"{max(seconds):.2f} s; ratio to the limit of {PAUSE_S:g} s {median / PAUSE_S:.2f}  "
          f"{'held' if held else 'MISSED'}")  # fmt: skip
    return held


def _why(ended: Ended) -> list[str]:
    if isinstance(ended, Unplayed):
        return ended.why.splitlines()[:2]
    return [f"{said.text}: {said.found.splitlines()[0] if said.found else ''}" for said in ended.broken]


def _summary(found: Mapping[str, Sequence[Ended]]) -> int:
    print(f"\n{'drill':<32}{'held':>8}{'seconds':>10}{'reads':>9}{'writes':>9}{'lost':>6}   flaky")
    words: set[str] = set()
    for name, ends in found.items():
        verdicts = [verdict(one) for one in ends]
        words.update(verdicts)
        reports = [one for one in ends if isinstance(one, Report)]
        lost = sum(len(one.loss.lost) for one in reports if one.loss is not None)
        flaky = "yes" if HELD in verdicts and set(verdicts) != {HELD} else ""
        held, seconds = f"{verdicts.count(HELD)}/{len(ends)}", _median([one.seconds_in_all for one in reports])
        reads, writes = (
            _median([one.reads.seconds for one in reports]),
            _median([one.writes.seconds for one in reports]),
        )
        print(f"{name:<32}{held:>8}{seconds:>10}{reads:>9}{writes:>9}{lost:>6}   {flaky}")
    return 3 if UNPLAYED in words else 1 if BROKEN in words else 0


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.1f}" if known else "unknown"


if __name__ == "__main__":
    sys.exit(main())
