"""The loss of the home region, in sentences: servers, balancer, databases, wire, API, and with it Route 53's and IAM's.

region-loss                     everything there refuses at once; it comes back when the standby has taken over
region-loss-black-hole          nothing of it answers any more
region-loss-api-hangs           calls to what is lost hang, where they were refused
region-loss-returns-meanwhile   it comes back just when its replica is being promoted
"""

from __future__ import annotations

from functools import partial

from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds, looks
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.promises import FAILOVER
from bicoastal.drill.steady import STEADY, STEADY_AGAIN
from bicoastal.twin.interfaces import How

_COUNTED = 3
"""Deeds afterwards until rows are counted."""
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


def _region_loss(name: str, title: str, how: How, *, api: str = "", meanwhile: bool = False) -> Experiment:
    loses = "is lost, and refuses everybody" if how == "refuse" else "is lost, and answers nobody"
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
        ),
        afterwards=(
            Deed("the home region returns with its old primary", deeds.give_back),
            Deed("the old primary fences itself", deeds.fenced),
            Deed("both databases are asked for their rows", deeds.count_both),
            Deed("the operator brings the primary home", deeds.back_home),
            Deed("everything bears its own tags again", _tags_as_before),
            STEADY_AGAIN,
        ),
        then=(*FAILOVER, Promise("everything of the survivor bears the tags of a failover", tags_held)),
        black_hole=how == "black-hole",
        predicts=True,
        asks={"failover_tags": TAGS},
        stays=_COUNTED,
        stays_in_a_row=name != "region-loss",
    )


EXPERIMENTS = (
    _region_loss("region-loss", "the home region is gone, and says so", "refuse"),
    _region_loss("region-loss-black-hole", "the home region is gone, and says nothing", "black-hole"),
    _region_loss("region-loss-api-hangs", "as region-loss, and calls to what is lost hang", "refuse", api="hang"),
    _region_loss(
        "region-loss-returns-meanwhile", "the home region returns during the failover", "refuse", meanwhile=True
    ),
)
