"""The primary moves to the other region because somebody wants it to, and home again: nothing is lost, hardly delayed.

The pause is what users have: the longest time between two writes of one user that were acknowledged, while the command
ran. It does not shrink with the pace: it is made of the operation's own calls, a promotion, and one attempt that meets
the closed door. The bar is thrice what a switchover is to cost at the median of many (`bench/drills.py` measures that).
"""

from __future__ import annotations

import time

from bicoastal.drill import deeds
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.measure import WRITES, longest_wait
from bicoastal.drill.operator import Command
from bicoastal.drill.promises import NOTHING_LOST
from bicoastal.drill.steady import STEADY, STEADY_AGAIN, STEADY_MOVED
from bicoastal.twin.faults import Act

PAUSE_S = 2.0
"""Of the median of many switchovers."""
_AT_MOST = 3 * PAUSE_S
_AFTER_S = 1.0
"""Whoever was sent away as the door opened asks again within it."""
_SWITCHOVER = "switchover"


def _switch_over(run: Run, to: str) -> None:
    began = time.time()
    if run.fault is None:
        run.fault = Act("a switchover is typed", began, began)
    with run.phase(f"{_SWITCHOVER} --to {to}"):
        run.operator.insists(_SWITCHOVER, "--to", to, within_s=deeds.HOME_S)


def pauses(run: Run, found: Evidence) -> list[float]:
    """Of each switchover, in seconds, by whoever waited longest for a write. Where nobody wrote there is none."""
    return [
        max(waits)
        for command in run.operator.commands
        if command.words[0] == _SWITCHOVER and command.code == 0
        if (waits := _waits(run, found, command))
    ]


def _waits(run: Run, found: Evidence, command: Command) -> list[float]:
    coasts = (longest_wait(found.entries, WRITES, coast, command.began, command.ended + _AFTER_S)
              for coast in (run.home, run.standby))  # fmt: skip
    return [wait.seconds for wait in coasts if wait.seconds is not None]


def judge_pauses(run: Run, found: Evidence) -> Judged:
    """Of both switchovers; what each took is left in the notes."""
    seconds = pauses(run, found)
    run.notes["pauses_s"] = [round(one, 2) for one in seconds]
    said = " and ".join(f"{one:.2f} s" for one in seconds)
    return len(seconds) == 2 and max(seconds) <= _AT_MOST, f"{said or 'nobody wrote'}, at most {_AT_MOST:g} s"


def judge_rows(run: Run, found: Evidence) -> Judged:
    """A write that was done twice would be a row under an id that nobody was told of."""
    if run.survivor_rows is None:
        return False, "the database was not asked for its rows"
    begun = {entry.id for entry in found.entries if entry.kind in WRITES}
    other = sorted(run.survivor_rows - begun - run.known_rows)
    if other:
        return False, f"{len(other)} rows that nobody wrote, the first {other[0]}"
    return bool(begun), f"{len(run.survivor_rows)} rows, each by somebody who wrote it"


EXPERIMENTS = (
    Experiment(
        _SWITCHOVER,
        "the primary is moved to the other region and home again, as planned",
        given=STEADY,
        when=(
            Deed("an operator types `bicoastal switchover`", lambda run: _switch_over(run, run.standby)),
            Deed("and `bicoastal rejoin`, so that the other region has a replica", deeds.rejoin),
            STEADY_MOVED,
            Deed("later he goes home, the same way", lambda run: _switch_over(run, run.home)),
            Deed("and `bicoastal rejoin` again", deeds.rejoin),
            Deed("users are served", deeds.served),
            Deed("the database is asked for its rows", lambda run: deeds.count_now(run, run.home)),
        ),
        then=(
            Promise("no user's writes pause for long, there or back", judge_pauses),
            NOTHING_LOST,
            Promise("the database holds no row that nobody wrote", judge_rows),
        ),
        afterwards=(deeds.AS_BEFORE, STEADY_AGAIN),
        traceless=True,
        measured=True,
    ),
)
