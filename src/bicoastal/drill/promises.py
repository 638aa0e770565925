"""What several experiments promise, and how it is held against what was recorded. Nothing is measured here."""

from __future__ import annotations

from bicoastal.blueprint.service.balancer import CLIENT_KEEP_ALIVE_S
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Judged, Promise, Run
from bicoastal.drill.ledger import Entry
from bicoastal.drill.measure import Lack, Recovery, forgotten, heartbeat_ages, invented

READS_SLACK_S = 0.5
GATE_SLACK_S = 1.0
IN_FLIGHT_S = 1.0
"""A row that was acknowledged so much longer before the fault than the replica was behind must not be lost."""
_OPEN_GATE, _LATCH = "open the read gate", "latch the switch"


def _reads_bar(run: Run, found: Evidence) -> float | None:
    """Seconds from the fault; None where the templates do not say what to expect.

    A region that answers again before users have left it keeps those who came back: they leave when the switch is seen,
    the answer of DNS is old, and its load balancer closes their connection.
    """
    most = found.predicted[0].reads.most if found.predicted else None
    if most is None:
        return None
    latch = run.failover.step(_LATCH) if run.failover is not None else None
    if run.returned is None or run.returned.began > found.until or latch is None or latch.ended is None:
        return most + READS_SLACK_S
    return latch.ended - found.fault + most + CLIENT_KEEP_ALIVE_S / run.stage.pace.factor + READS_SLACK_S


def _moved_held(run: Run, found: Evidence) -> Judged:
    bar, reads = _reads_bar(run, found), found.undrained
    if reads.seconds is None:
        return False, f"{reads.slowest or 'nobody'} was not served again"
    if bar is None:
        return True, f"{reads.seconds:.1f} s; the templates do not say what to expect"
    return reads.seconds <= bar, f"{reads.seconds:.1f} s ({reads.slowest}), at most {bar:.1f} s"


def _reads_held(run: Run, found: Evidence) -> Judged:
    return _gate_held(run, found, found.reads)


def _writes_held(run: Run, found: Evidence) -> Judged:
    return _gate_held(run, found, found.writes)


def _gate_held(run: Run, evidence: Evidence, found: Recovery) -> Judged:
    if found.seconds is None:
        return False, f"{found.slowest or 'nobody'} was not served again"
    gate = run.failover.step(_OPEN_GATE) if run.failover is not None else None
    opened = gate.ended - evidence.fault + GATE_SLACK_S if gate is not None and gate.ended is not None else None
    bars = [bar for bar in (_reads_bar(run, evidence), opened) if bar is not None]
    if not bars:
        return False, f"{found.seconds:.1f} s, and the operation opened no gate"
    return found.seconds <= max(bars), f"{found.seconds:.1f} s ({found.slowest}), at most {max(bars):.1f} s"


def _rows_held(run: Run, found: Evidence) -> Judged:
    lost = found.loss
    if lost is None:
        return False, "the surviving database could not be asked"
    accepted = len(lost.accepted_before_fence or ())
    after = lost.lost_after - accepted
    gone = len(lost.lost) - accepted
    if not gone:
        return True, f"none of {lost.acknowledged} acknowledged rows is lost"
    said = f"{gone} of {lost.acknowledged} acknowledged rows are lost"
    if after:
        return False, f"{said}, and {after} of them were sent after the fault"
    age = lost.oldest_lost_s or 0.0
    behind = max(heartbeat_ages(found.entries, run.standby, found.fault, 1.0), default=0.0)
    seen = f"{said}, the oldest acknowledged {age:.2f} s before the fault, when the replica was {behind:.2f} s behind"
    return age <= IN_FLIGHT_S + behind, seen


def _path_held(_: Run, found: Evidence) -> Judged:
    path = found.forbidden
    if not path:
        return True, "no such call by the gateway's record"
    first = path[0]
    return False, f"{len(path)}, the first {first.service}:{first.action} in {first.region} ({first.outcome})"


def _fence_held(run: Run, found: Evidence) -> Judged:
    lost = found.loss
    if lost is None or lost.accepted_before_fence is None:
        return False, "the returned region was not asked"
    if run.fenced_after_s is None:
        return False, "the returned database was not seen to be fenced"
    said = (
        f"{len(lost.accepted_before_fence)} rows accepted before the fence, {lost.accepted_from_followers} of them "
        f"from who follows DNS; fenced {run.fenced_after_s:.1f} s after it returned"
    )
    return lost.accepted_from_followers == 0, said


def _all_held(_: Run, found: Evidence) -> Judged:
    lost = found.loss
    if lost is None:
        return False, "the database could not be asked for its rows"
    if lost.lost:
        return False, f"{len(lost.lost)} of {lost.acknowledged} acknowledged rows are lost, the first {lost.lost[0]}"
    return lost.acknowledged > 0, f"none of {lost.acknowledged} acknowledged rows is lost"


def _true(run: Run, found: Evidence) -> Judged:
    lists = [entry for entry in found.entries if entry.shown is not None]
    made_up = invented(lists, found.entries, run.known_rows)
    gone = forgotten(lists, found.loss.lost if found.loss is not None else ())
    if made_up or gone:
        first = made_up[0] if made_up else _lacking(gone[0], found.fault)
        return False, f"{len(made_up)} rows that nobody wrote, {len(gone)} that were there before; the first: {first}"
    return bool(lists), f"{len(lists)} lists were read"


def _lacking(lack: Lack, fault: float) -> str:
    """Who did not see it, when, and which database he and the one before him were shown."""
    (host, newest), (other, _) = _source(lack.entry), _source(lack.before)
    age = "it shows nothing" if newest is None else f"its newest row was {lack.entry.ended - newest:.1f} s old"
    return (
        f"{lack.id}, for {lack.entry.user} in {lack.entry.region} after {lack.entry.ended - fault:.1f} s, from {host}, "
        f"{age}; shown at {lack.before.ended - fault:.1f} s from {other}"
    )


def _source(entry: Entry) -> tuple[str, float | None]:
    shown = entry.shown
    if shown is None:
        return "nowhere", None
    return shown.host or "an unnamed database", max(shown.stored, default=None)


def within(text: str, seconds: float, *, writes: bool = True, reads: bool = True) -> Promise:
    """Every user is served again so many seconds after the fault, at this run's pace."""

    def judge(run: Run, found: Evidence) -> Judged:
        bar = seconds / run.stage.pace.factor
        wanted = [*([found.reads] if reads else []), *([found.writes] if writes else [])]
        if any(one.seconds is None for one in wanted):
            slow = next(one.slowest for one in wanted if one.seconds is None)
            return False, f"{slow or 'nobody'} was not served again"
        slowest = max(wanted, key=lambda one: one.seconds or 0.0)
        return (slowest.seconds or 0.0) <= bar, f"{slowest.seconds:.1f} s ({slowest.slowest}), at most {bar:.1f} s"

    return Promise(text, judge)


def few_fail(text: str, share: float) -> Promise:
    """At most this share of all requests fails; where they are few, one of them."""

    def judge(_: Run, found: Evidence) -> Judged:
        attempts = found.during
        failed = [entry for entry in attempts if not entry.served]
        kinds = ", ".join(sorted({entry.error for entry in failed}))
        said = f"{len(failed)} of {len(attempts)} requests failed" + (f" ({kinds})" if kinds else "")
        return bool(attempts) and len(failed) <= max(share * len(attempts), 1), said

    return Promise(text, judge)


FAILOVER = (
    Promise("every user is with the survivor within the checks' time and one TTL", _moved_held),
    Promise(
        "every user reads within the same, or a second after the operator has opened the drained gate again",
        _reads_held,
    ),
    Promise("every user writes within the same", _writes_held),
    Promise("only rows that were under way between the coasts are lost", _rows_held),
    Promise("the operator's path asked nothing of what is lost", _path_held),
    Promise("who follows DNS stores no row in the returned region's old database, and that is fenced", _fence_held),
)
"""Of a failover to the other region."""
NOTHING_LOST = Promise("no acknowledged row is lost", _all_held)
READS_ARE_TRUE = Promise("no read shows a row that nobody wrote, or lacks one that it had shown before", _true)
"""Of every experiment: judged by the users' ledger alone."""
