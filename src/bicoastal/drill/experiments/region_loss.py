"""The loss of the home region, in sentences: servers, balancer, databases, wire, API, and with it Route 53's and IAM's.

region-loss                     everything there refuses at once; it comes back when the standby has taken over
region-loss-black-hole          nothing of it answers any more
region-loss-api-hangs           calls to what is lost hang, where they were refused
region-loss-returns-meanwhile   it comes back just when its replica is being promoted
"""

from __future__ import annotations

from functools import partial

from bicoastal.drill import deeds
from bicoastal.drill.experiment import Deed, Experiment
from bicoastal.drill.promises import FAILOVER
from bicoastal.drill.steady import STEADY, STEADY_AGAIN
from bicoastal.twin.interfaces import How

_COUNTED = 3
"""Deeds afterwards until rows are counted."""
_API = {"refuse": "refuse", "black-hole": "hang"}


def _region_loss(name: str, title: str, how: How, *, api: str = "", meanwhile: bool = False) -> Experiment:
    loses = "is lost, and refuses everybody" if how == "refuse" else "is lost, and answers nobody"
    return Experiment(
        name,
        title,
        given=STEADY,
        when=(
            Deed(f"the home region {loses}", partial(deeds.lose, how=how, api=api or _API[how])),
            Deed(
                "an operator types `bicoastal failover`"
                + (", and the region returns while it promotes" if meanwhile else ""),
                lambda run: deeds.fail_over(run, partial(deeds.return_when_promoting, run) if meanwhile else None),
            ),
            Deed("users look for who serves them", deeds.served),
        ),
        afterwards=(
            Deed("the home region returns with its old primary", deeds.give_back),
            Deed("the old primary fences itself", deeds.fenced),
            Deed("both databases are asked for their rows", deeds.count_both),
            Deed("the operator brings the primary home", deeds.back_home),
            STEADY_AGAIN,
        ),
        then=FAILOVER,
        black_hole=how == "black-hole",
        predicts=True,
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
