"""The loss of the home region, in sentences: servers, balancer, databases, wire, API, and with it Route 53's and IAM's.

region-loss                     everything there refuses at once; it comes back when the standby has taken over
region-loss-black-hole          nothing of it answers any more; within, its hosts run on
region-loss-api-hangs           calls to what is lost hang, where they were refused
region-loss-returns-meanwhile   it comes back just when its replica is being promoted

Its API stays away until the old primary is fenced, where that returns afterwards: a fence comes from within. Bars of
fences are the kit's intervals and the witness's TTL (design D15), at the pace at hand, and `OWN_S` beside them.
"""

from __future__ import annotations

from functools import partial

from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds, looks
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.promises import FAILOVER
from bicoastal.drill.steady import STEADY, STEADY_AGAIN
from bicoastal.operate.failover import ISOLATION_S, WITNESS_TTL_S
from bicoastal.twin.cloud.gateway import Fault
from bicoastal.twin.interfaces import How

TOLD_S = WITNESS_TTL_S + 3.0
"""Within so long a primary that returns is told by the witness that it is superseded: one TTL of the answer that its
resolver may still have, the kit's question every 2 s, and its round of 1 s."""
ALONE_S = ISOLATION_S + WITNESS_TTL_S + 1.0
"""Within so long a primary that sees nobody fences itself; `failover` waits as long. Its resolver may go on with the
last answer for one TTL, and its round is 1 s."""
NOT_BEFORE_S = ISOLATION_S - 3.0
"""It has seen the witness, and its replica, up to 2 s and its round before the cut."""
RETURNED = "the primary that returns"
OWN_S = 6.0
"""What no pace shortens, on two busy cores: hosts that boot, a kit that starts as Python does, signs in and asks."""
_UP = "SELECT extract(epoch FROM pg_postmaster_start_time())::float8"
_FENCE = "SELECT extract(epoch FROM fenced_at)::float8, fence_reason FROM bicoastal.state"
_API = {"refuse": "refuse", "black-hole": "hang"}
TAGS = {"cost-center": "disaster", "incident": "rehearsed"}
"""One that everything bears, and one that nothing does."""


def _lose(run: Run, how: How, api: str) -> None:
    run.tags_before = looks.tags(run, run.standby)
    deeds.lose(run, how, api)


def _look_at_tags(run: Run) -> None:
    now = looks.tags(run, run.standby)
    run.notes["tagged"] = sum(TAGS.items() <= tags.items() for tags in now.values())
    # What is gone since, as servers that were replaced, is not asked for.
    run.notes["bare"] = sorted(
        arn for arn in run.tags_before.keys() & now.keys() if not TAGS.items() <= now[arn].items()
    )


def tags_held(run: Run, found: Evidence) -> Judged:
    """As somebody saw them while the region was lost."""
    del found
    tagged, bare = run.notes.get("tagged"), run.notes.get("bare", ())
    if not tagged:
        return False, "nobody looked at the tags while the region was lost" if tagged is None else "nothing bears them"
    if bare:
        return False, f"{len(bare)} resources do not bear them, the first {bare[0]}"
    return True, f"{tagged} resources bore them"


def _tags_as_before(run: Run) -> None:
    """Raises SystemFault that names the first which are not."""
    now = looks.tags(run, run.standby)
    kept = run.tags_before.keys() & now.keys()
    other = sorted(arn for arn in kept if run.tags_before[arn] != now[arn])
    if not kept or other:
        raise SystemFault(f"{len(other)} of {len(kept)} resources have other tags than before: {', '.join(other[:3])}")


def _isolated(run: Run) -> None:
    """By an auditor's look into the database, whom no cut keeps out. Raises SystemFault."""

    def seen() -> bool:
        rows = run.stage.rows(run.home, _FENCE)
        if not rows:
            return False
        run.notes["alone"] = list(rows[0])
        return rows[0][0] is not None

    with run.phase("the cut off primary is fenced"):
        run.wait("the primary that is cut off is fenced", seen, ALONE_S / run.stage.pace.factor + 60.0)


def judge_isolated(run: Run, _: Evidence) -> Judged:
    """It fences itself in time for the failover, and not for a moment's silence."""
    alone, factor = run.notes.get("alone"), run.stage.pace.factor
    if not alone or alone[0] is None or run.fault is None:
        return False, "it was not seen to fence itself"
    at, reason = alone
    after, least, most = at - run.fault.ended, NOT_BEFORE_S / factor, ALONE_S / factor + OWN_S
    said = f"fenced ({reason}) {after:.1f} s after it was cut off, at least {least:.1f} s, at most {most:.1f} s"
    return reason == "isolated" and least <= after <= most, said


def _return_without_api(run: Run) -> None:
    run.stage.twin.faults.fail_api(Fault("refuse", region=run.home))
    with run.phase("the region returns"):
        run.returned = run.stage.twin.faults.recover_region(run.home)


def _fenced(run: Run) -> None:
    deeds.fenced(run)
    rows = run.stage.rows(run.home, _UP)
    run.notes["old_primary_up"] = float(rows[0][0]) if rows else None


def judge_told(run: Run, _: Evidence) -> Judged:
    """From when it could take rows again: its region is there, and its server has begun."""
    up, after = run.notes.get("old_primary_up"), run.fenced_after_s
    if up is None or after is None or run.returned is None:
        return False, "the returned database was not seen to be fenced"
    waited = max(after - max(up - run.returned.ended, 0.0), 0.0)
    bar = TOLD_S / run.stage.pace.factor + OWN_S
    return waited <= bar, f"{waited:.1f} s after its server had begun, at most {bar:.1f} s"


def judge_counted(_: Run, found: Evidence) -> Judged:
    """As figures, whichever they are: a row that nobody can name is lost twice."""
    lost = found.loss
    if lost is None or lost.diverged is None or lost.accepted_before_fence is None:
        return False, "the returned database was not asked"
    unknown = set(lost.accepted_before_fence) - set(lost.diverged)
    said = (
        f"{len(lost.accepted_before_fence)} rows accepted between its return and its fence, {len(lost.diverged)} in "
        "its database alone"
    )
    return not unknown, f"{said}; {len(unknown)} of the accepted ones are nowhere" if unknown else said


def _region_loss(name: str, title: str, how: How, *, api: str = "", meanwhile: bool = False) -> Experiment:
    isolated = how == "black-hole"
    loses = "is lost, and refuses everybody" if how == "refuse" else "is lost, and answers nobody"
    fenced = Deed("the old primary is fenced, by itself", _fenced)
    returns = (
        (fenced,)
        if meanwhile
        else (
            Deed("the home region returns with its old primary, and without its API", _return_without_api),
            fenced,
            Deed("the API of the home region is there again", deeds.give_back),
        )
    )
    return Experiment(
        name,
        title,
        given=STEADY,
        when=(
            Deed(f"the home region {loses}", partial(_lose, how=how, api=api or _API[how])),
            Deed(
                "an operator types `bicoastal failover`"
                + (", and the region returns while it promotes" if meanwhile else ""),
                lambda run: deeds.fail_over(run, partial(deeds.return_when_promoting, run) if meanwhile else None),
            ),
            Deed("users look for who serves them", deeds.served),
            Deed("somebody looks at the tags of what survives", _look_at_tags),
            *([Deed("the old primary, which is cut off, fences itself", _isolated)] if isolated else []),
        ),
        afterwards=(
            *returns,
            Deed("both databases are asked for their rows", deeds.count_both),
            Deed("the operator brings the primary home", deeds.back_home),
            Deed("everything bears its own tags again", _tags_as_before),
            STEADY_AGAIN,
        ),
        then=(
            *FAILOVER,
            Promise("everything of the survivor bears the tags of a failover", tags_held),
            Promise(
                f"{RETURNED} is fenced within the witness's TTL and 3 s" + ("" if meanwhile else ", with no API"),
                judge_told,
            ),
            *(
                [Promise(f"{RETURNED} had fenced itself when nobody was seen for 15 s", judge_isolated)]
                if isolated
                else []
            ),
            Promise("what it accepted before its fence, and what it alone has, is counted", judge_counted),
        ),
        black_hole=isolated,
        predicts=True,
        measured=True,
        asks={"failover_tags": TAGS},
        asks_little=True,
        stays=len(returns) + 1,
        stays_in_a_row=True,
    )


EXPERIMENTS = (
    _region_loss("region-loss", "the home region is gone, and says so", "refuse"),
    _region_loss("region-loss-black-hole", "the home region is gone, and says nothing", "black-hole"),
    _region_loss("region-loss-api-hangs", "as region-loss, and calls to what is lost hang", "refuse", api="hang"),
    _region_loss(
        "region-loss-returns-meanwhile", "the home region returns during the failover", "refuse", meanwhile=True
    ),
)
