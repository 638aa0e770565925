"""The home region is lost, comes back and follows; then the other one is lost, and the primary goes home by a failover.

What is held: the epoch rises by one with each takeover, exactly one database takes writes at each stop, no primary that
is valid is fenced, and only rows that were under way at one of the two losses are lost. A writer who does not follow
DNS is on the home coast: what the returned former primary told him before it fenced itself is counted apart, as in
`region-loss`.

Bars: each failover has those of `region-loss`, from its own loss: the slowest user is served again when the checks and
one TTL are over, or a second after the operator has opened the drained gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bicoastal.drill import deeds, looks
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.in_region import within_bar
from bicoastal.drill.ledger import Entry
from bicoastal.drill.measure import READS, WRITES, recovery
from bicoastal.drill.operator import Command
from bicoastal.drill.promises import GATE_SLACK_S, IN_FLIGHT_S, READS_SLACK_S
from bicoastal.drill.steady import STEADY, STEADY_AGAIN, STEADY_MOVED
from bicoastal.twin.faults import Act

FENCED_S = 150.0
_STATE = "SELECT pg_is_in_recovery(), epoch, fence_reason, fenced_at IS NOT NULL FROM bicoastal.state"
_IDS = "SELECT id::text FROM orders"
_OPEN_GATE = "open the read gate"


@dataclass(frozen=True)
class Stop:
    """How the databases are when nothing is under way."""

    where: str
    """`at the beginning`, `after the first failover`, ..."""
    primary: str
    """The region that should have it."""
    epoch: int | None
    writers: tuple[str, ...]
    """Regions whose database takes writes: stands alone and is not fenced."""
    fence: str
    """Of the primary that should be; empty without one."""


@dataclass(frozen=True)
class Loss:
    """One of the two."""

    region: str
    fault: Act
    returned: Act | None
    command: Command | None
    served_until: float


def _stop(where: str, primary: Callable[[Run], str]) -> Callable[[Run], None]:
    def look(run: Run) -> None:
        found = {region: looks.rows(run, region, _STATE) for region in (run.home, run.standby)}
        mine = found[primary(run)]
        writers = tuple(region for region, state in found.items() if state and not state[0][0] and state[0][2] is None)
        epoch, fence = (int(mine[0][1]), str(mine[0][2] or "")) if mine else (None, "")
        run.kept.setdefault("stops", []).append(Stop(where, primary(run), epoch, writers, fence))

    return look


def _home(run: Run) -> str:
    return run.home


def _standby(run: Run) -> str:
    return run.standby


def _lose(region: Callable[[Run], str]) -> Callable[[Run], None]:
    def lose(run: Run) -> None:
        act = run.stage.twin.faults.lose_region(region(run), "refuse")
        run.kept["down"] = (region(run), act)
        run.operator.signs_in_by(run.home if region(run) == run.standby else run.standby)
        if run.fault is None:
            run.fault, run.lost = act, region(run)

    return lose


def _fail_over(*words: Callable[[Run], str]) -> Callable[[Run], None]:
    def fail_over(run: Run) -> None:
        with run.phase("failover"):
            typed = ("failover", *(["--to", *(word(run) for word in words)] if words else []))
            command = run.operator.insists(*typed, within_s=deeds.FAILOVER_S)
        run.kept["command"] = command
        if run.failover is None:
            run.failover = command

    return fail_over


def _served(run: Run) -> None:
    """As everywhere; `served_until` of the first loss stays what the evidence is gathered for."""
    before = run.served_until
    deeds.served(run)
    run.kept["served"] = run.served_until
    run.served_until = before or run.served_until


def _returns(run: Run) -> None:
    """The region that is down is there again, and its former primary has fenced itself."""
    if "down" not in run.kept:
        return
    region, fault = run.kept.pop("down")
    with run.phase("the region returns"):
        returned = run.stage.twin.faults.recover_region(region)
    run.kept.setdefault("losses", []).append(
        Loss(region, fault, returned, run.kept.pop("command", None), run.kept.pop("served", 0.0))
    )
    with run.phase("the old primary is fenced"):
        run.wait(f"the old database in {region} is fenced", lambda: _fenced(run, region), FENCED_S)


def _fenced(run: Run, region: str) -> bool:
    found = looks.rows(run, region, _STATE)
    return bool(found and found[0][3] is True)


def judge_epochs(run: Run, _: Evidence) -> Judged:
    """Each takeover raises it by one, and a rejoin keeps it."""
    epochs = [stop.epoch for stop in run.kept.get("stops", ())]
    if len(epochs) != 1 + 4 or None in epochs:
        return False, f"seen: {epochs}"
    first = epochs[0] or 0
    return epochs == [first, first + 1, first + 1, first + 2, first + 2], f"{', '.join(map(str, epochs))}"


def judge_one_writer(run: Run, _: Evidence) -> Judged:
    """At each stop the database that should be the primary takes writes, and no other."""
    stops: list[Stop] = run.kept.get("stops", [])
    wrong = [stop for stop in stops if stop.writers != (stop.primary,) or stop.fence]
    if wrong:
        said = f"writes are taken in {', '.join(wrong[0].writers) or 'no region'} {wrong[0].where}"
        return False, f"{said}; fence: {wrong[0].fence}" if wrong[0].fence else said
    return len(stops) == 1 + 4, f"seen {len(stops)} times: {', '.join(stop.primary for stop in stops)}"


def judge_served(run: Run, found: Evidence) -> Judged:
    """After each loss the slowest user is served within the bar of its own failover."""
    losses: list[Loss] = run.kept.get("losses", [])
    if len(losses) != 2:
        return False, f"{len(losses)} losses"
    checks = _checks_s(found)
    said = []
    for loss in losses:
        gate = loss.command.step(_OPEN_GATE) if loss.command is not None else None
        opened = gate.ended - loss.fault.began + GATE_SLACK_S if gate is not None and gate.ended is not None else None
        bars = [bar for bar in (checks, opened) if bar is not None]
        if not bars:
            return False, f"no bar is known for the loss of {loss.region}"
        waited = recovery(found.entries, READS | WRITES, loss.fault.began, until=loss.served_until)
        held, text = within_bar(waited, max(bars))
        said.append(f"{loss.region} lost: {text}")
        if not held:
            return False, said[-1]
    return True, "; ".join(said)


def _checks_s(found: Evidence) -> float | None:
    most = found.predicted[0].reads.most if found.predicted else None
    return None if most is None else most + READS_SLACK_S


def judge_rows(run: Run, found: Evidence) -> Judged:
    """A lost row was under way at one of the two losses, or was told to the pinned writer by a former primary."""
    losses: list[Loss] = run.kept.get("losses", [])
    if run.survivor_rows is None or len(losses) != 2:
        return False, "the database was not asked, or not both regions were lost"
    written = {
        entry.id: entry
        for entry in reversed(found.entries)
        if entry.kind in WRITES and entry.served and entry.ended <= run.counted
    }
    lost = [entry for id_, entry in written.items() if id_ not in run.survivor_rows]
    accepted = [entry for entry in lost if any(_accepted(entry, loss) for loss in losses)]
    under_way = [entry for entry in lost if entry not in accepted and any(_under_way(entry, loss) for loss in losses)]
    said = (
        f"{len(lost)} of {len(written)} acknowledged rows are lost: {len(under_way)} were under way, "
        f"{len(accepted)} told to the pinned writer by a former primary"
    )
    return len(lost) == len(accepted) + len(under_way), said


def _under_way(entry: Entry, loss: Loss) -> bool:
    return entry.began <= loss.fault.ended and entry.ended >= loss.fault.began - IN_FLIGHT_S


def _accepted(entry: Entry, loss: Loss) -> bool:
    returned = loss.returned
    return returned is not None and entry.pinned and entry.region == loss.region and entry.ended > returned.began


_REJOIN = Deed("the operator types `bicoastal rejoin`", deeds.rejoin)

EXPERIMENTS = (
    Experiment(
        "back-and-forth",
        "the home region is lost, and when it follows again the other one is",
        given=STEADY,
        when=(
            Deed("the databases are looked at", _stop("at the beginning", _home)),
            Deed("the home region is lost", _lose(_home)),
            Deed("an operator types `bicoastal failover`", _fail_over()),
            Deed("users look for who serves them", _served),
            Deed("the standby is the primary", _stop("after the first failover", _standby)),
            Deed("the home region returns, and its former primary fences itself", _returns),
            _REJOIN,
            STEADY_MOVED,
            Deed("the home region follows", _stop("after the first rejoin", _standby)),
            Deed("the region of the primary is lost, the standby of before", _lose(_standby)),
            Deed("an operator types `bicoastal failover --to` the home region", _fail_over(_home)),
            Deed("users look for who serves them again", _served),
            Deed("the home region has the primary", _stop("after the second failover", _home)),
            Deed("the other region returns, and its former primary fences itself", _returns),
            Deed("the operator types `bicoastal rejoin` again", deeds.rejoin),
            Deed("the other region follows", _stop("after the second rejoin", _home)),
            Deed("the database is asked for its rows", lambda run: deeds.count_now(run, run.home)),
        ),
        afterwards=(
            Deed("what is lost is there again, whatever happened", _returns),
            deeds.AS_BEFORE,
            STEADY_AGAIN,
        ),
        then=(
            Promise("each takeover raises the epoch by one", judge_epochs),
            Promise(
                "one database takes writes at each stop, the valid primary, which nothing fences", judge_one_writer
            ),
            Promise(
                "after each loss every user is served as soon as the checks or the drained gate let him", judge_served
            ),
            Promise("only rows that were under way at a loss are lost", judge_rows),
        ),
        predicts=True,
        measured=True,
        traceless=True,
    ),
)
