"""The loss of the home region, in sentences: servers, balancer, databases, wire, API, and with it Route 53's and IAM's.

region-loss                     everything there refuses at once; it comes back when the standby has taken over
region-loss-black-hole          nothing of it answers any more
region-loss-api-hangs           calls to what is lost hang, where they were refused
region-loss-returns-meanwhile   it comes back just when its replica is being promoted
"""

from __future__ import annotations

from functools import partial

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


def _note_tags(run: Run, when: str) -> None:
    run.notes.setdefault("tags", {})[when] = looks.tags(run, run.standby)


def _lose(run: Run, how: How, api: str) -> None:
    _note_tags(run, "before")
    deeds.lose(run, how, api)


def _back_home(run: Run) -> None:
    deeds.back_home(run)
    _note_tags(run, "afterwards")


def tags_held(run: Run, found: Evidence) -> Judged:
    """What is gone since, as instances that were replaced, is not asked for."""
    del found
    seen = run.notes.pop("tags", {})
    before, during, after = (seen.get(when, {}) for when in ("before", "during", "afterwards"))
    bare = sorted(arn for arn in before.keys() & during.keys() if not TAGS.items() <= during[arn].items())
    if not during:
        return False, "nobody looked at the tags while the region was lost"
    if bare:
        return False, f"{len(bare)} of {len(during)} resources do not bear them, the first {bare[0]}"
    said = f"{len(during)} resources bore them"
    if not after:
        return True, said
    changed = sorted(arn for arn in before.keys() & after.keys() if before[arn] != after[arn])
    if changed:
        return False, f"{said}; {len(changed)} have other tags than before, the first {changed[0]}"
    return True, f"{said}, and {len(after)} have their own again"


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
            Deed("somebody looks at the tags of what survives", partial(_note_tags, when="during")),
        ),
        afterwards=(
            Deed("the home region returns with its old primary", deeds.give_back),
            Deed("the old primary fences itself", deeds.fenced),
            Deed("both databases are asked for their rows", deeds.count_both),
            Deed("the operator brings the primary home", _back_home),
            STEADY_AGAIN,
        ),
        then=(*FAILOVER, Promise("the survivor bears the tags of a failover, and then its own again", tags_held)),
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
