"""The home region answers, but badly: late, or not always. When health checks move users, and when they do not.

A checker of Route 53's changes its mind after `FailureThreshold` probes in a row, and the check its own only when more
than 82 % of the checkers have. So:
- answers that are later, but not later than the checkers wait (2 s from the connection), move nobody;
- of a quarter of failures nearly nothing is seen: three in a row are 1.6 % of a checker's probes, three passes in a row
  bring it back, and 6 % of the time one is wrong; all three of the twin's at once 0.02 % of the time, thirteen of AWS's
  fifteen never. Users meet each of these failures: no health check is a measure of quality, an alarm on 5xx is;
- answers that are later than that move everybody within the probes' time and one TTL, and that once.
Half of the answers failing is left out: a checker is then wrong half of the time, and what that means differs between
three checkers (all of them 12 % of the time) and fifteen (thirteen of them 0.4 %).

Times are those of the templates, divided by the pace, and what no pace shortens: a user's patience, and the second that
the twin's checkers wait at least. The twin's balancers falter; their targets do not.
"""

from __future__ import annotations

import time

from bicoastal.drill import deeds
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.measure import READS, WRITES, settled
from bicoastal.drill.promises import NOTHING_LOST
from bicoastal.drill.steady import STEADY, STEADY_AGAIN, STEADY_S
from bicoastal.drill.users import PATIENCE_S
from bicoastal.drill.watch import until
from bicoastal.twin.interfaces import Faltering
from bicoastal.twin.names.probes import Limits

LATE_S = 0.5
QUARTER = 25
DEAF_S = 3.0
"""Longer than a checker waits, and a user."""
HELD_S = 80.0
"""Template time: more than twice what three probes at 10 s need."""
NOTICED_S = 40.0
"""3 probes at 10 s, the first up to 10 s later."""
TTL_S = 60.0
_SLACK_S = 1.0
_BACK_S = 60.0


def _falter(run: Run, how: Faltering, note: str) -> None:
    """For a while in which checkers could change their minds twice."""
    run.notes[f"{note}_from"] = run.stage.twin.faults.falter(run.home, how).began
    with run.phase(note):
        time.sleep(run.stage.pace.seconds(HELD_S))
    run.notes[f"{note}_to"] = time.time()


def _deafen(run: Run) -> None:
    run.fault = run.stage.twin.faults.falter(run.home, Faltering(slow_s=DEAF_S))


def _move(run: Run) -> None:
    with run.phase("users move"):
        run.wait(
            "every user is served again",
            lambda: settled(run.users.entries(), READS | WRITES, (run.home, run.standby), time.time(), STEADY_S),
            deeds.SERVED_S,
        )
    run.served_until = time.time()


def _well(run: Run) -> None:
    run.returned = run.stage.twin.faults.falter(run.home, Faltering())


def _return(run: Run) -> None:
    """Until DNS leads home, and for the time in which it could change its mind again."""
    watch, name = run.watch, run.stage.script.domain
    with run.phase("users come back"):
        run.wait(f"{name} leads home", lambda: watch is not None and watch.now(name) == run.home, _BACK_S)
        time.sleep(run.stage.pace.seconds(HELD_S))
    run.notes["watched_to"] = time.time()


def judge_stays(run: Run, found: Evidence) -> Judged:
    """Nobody was sent away while the region was slow, or failed a quarter of all."""
    if run.watch is None or run.fault is None or "failing_to" not in run.notes:
        return False, "it did not come to that"
    began, end = run.notes["slow_from"], run.fault.began
    changes = until(run.watch.changes, run.stage.script.domain, began, end)
    slow = _attempts(run, found, "slow")
    failing = _attempts(run, found, "failing")
    lost = [sum(not served for served in attempts) for attempts in (slow, failing)]
    said = (
        f"{len(changes)} changes of DNS; {lost[0]} of {len(slow)} requests failed while it was slow, "
        f"{lost[1]} of {len(failing)} while a quarter was answered 503"
    )
    return not changes and bool(slow) and lost[1] > 0, said


def _attempts(run: Run, found: Evidence, note: str) -> list[bool]:
    """Of users of the home coast who follow DNS: whether each was served."""
    began, end = run.notes[f"{note}_from"], run.notes[f"{note}_to"]
    return [
        entry.served
        for entry in found.entries
        if began < entry.began and entry.ended <= end and entry.coast == run.home and not entry.pinned
    ]


def judge_moves(run: Run, found: Evidence) -> Judged:
    """Everybody was served again within the probes' time, one TTL and a user's patience."""
    pace = run.stage.pace
    bar = pace.seconds(NOTICED_S) + pace.ttl(TTL_S) + Limits.at(pace).answer_s + PATIENCE_S + _SLACK_S
    for recovery in (found.reads, found.writes):
        if recovery.seconds is None:
            return False, f"{recovery.slowest or 'nobody'} was not served again"
    slowest = max((found.reads, found.writes), key=lambda one: one.seconds or 0.0)
    seconds = slowest.seconds or 0.0
    return 0 < seconds <= bar, f"{seconds:.1f} s ({slowest.slowest}), at most {bar:.1f} s"


def judge_once(run: Run, found: Evidence) -> Judged:
    """DNS changed its mind twice in all: there, and back."""
    if run.watch is None or "slow_from" not in run.notes:
        return False, "nobody asked"
    end = run.notes.get("watched_to", found.until)
    changes = until(run.watch.changes, run.stage.script.domain, run.notes["slow_from"], end)
    said = ", ".join(f"{change.answer} {change.at - found.fault:+.1f} s" for change in changes) or "no change"
    return [change.answer for change in changes] == [run.standby, run.home], said


def judge_others(run: Run, found: Evidence) -> Judged:
    """Users of the other coast were served all the time."""
    theirs = [entry for entry in found.during if entry.coast == run.standby]
    failed = [entry for entry in theirs if not entry.served]
    kinds = ", ".join(sorted({entry.error for entry in failed}))
    return bool(theirs) and len(failed) <= max(0.01 * len(theirs), 1), (
        f"{len(failed)} of {len(theirs)} requests failed" + (f" ({kinds})" if kinds else "")
    )


EXPERIMENTS = (
    Experiment(
        "brown-out",
        "the home region answers late, or not always",
        given=STEADY,
        when=(
            Deed("it answers half a second late", lambda run: _falter(run, Faltering(slow_s=LATE_S), "slow")),
            Deed("a quarter is answered 503", lambda run: _falter(run, Faltering(fail_percent=QUARTER), "failing")),
            Deed("it answers three seconds late", _deafen),
            Deed("users look for who serves them", _move),
        ),
        then=(
            Promise("half a second, and a quarter of failures, move nobody", judge_stays),
            Promise("who waits longer than a checker is moved within three probes and one TTL", judge_moves),
            Promise("DNS changes its mind once, and once back", judge_once),
            Promise("nobody near the standby notices: at most one request in a hundred fails", judge_others),
            NOTHING_LOST,
        ),
        afterwards=(
            Deed("it answers well", _well),
            Deed("users come back", _return),
            Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home)),
            STEADY_AGAIN,
        ),
        traceless=True,
        watches=("",),
        watched_from="home",
    ),
)
