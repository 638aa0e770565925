"""What would stop a deployment half-way, found before anything is created: each problem with its remedy.

Reads only. What cannot be asked (an action that is denied, or not there) is said as unknown and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from bicoastal.aws.session import Session
from bicoastal.core.errors import Refused
from bicoastal.deploy.choices import Choices
from bicoastal.deploy.package import Package
from bicoastal.deploy.preflight.account import account_of, backup_opt_in, regions_enabled
from bicoastal.deploy.preflight.collisions import foreign_stacks, kept_from_earlier
from bicoastal.deploy.preflight.problem import Problem, unknown
from bicoastal.deploy.preflight.quotas import enough_quota
from bicoastal.deploy.preflight.zone import usable_zone
from bicoastal.deploy.survey import Views
from bicoastal.deploy.wiring import wire

__all__ = ["Problem", "preflight"]

Check = Callable[[Session, Package, Views], list[Problem]]
_CHECKS: tuple[Check, ...] = (
    regions_enabled,
    backup_opt_in,
    enough_quota,
    foreign_stacks,
    kept_from_earlier,
    usable_zone,
)


def preflight(session: Session, package: Package, views: Views, choices: Choices) -> list[Problem]:
    """Everything that is wrong or unknown, in a fixed order.

    Raises SystemFault where the credentials cannot be used at all: nothing else could be asked then.
    """
    account_of(session, package)
    with ThreadPoolExecutor(len(_CHECKS) + 1) as pool:
        found = [pool.submit(_one, check, session, package, views) for check in _CHECKS]
        found.append(pool.submit(_choices, package, views, choices))
    return [problem for future in found for problem in future.result()]


def _one(check: Check, session: Session, package: Package, views: Views) -> list[Problem]:
    with unknown(check.__name__.replace("_", " ")) as problems:
        problems.extend(check(session, package, views))
    return problems


def _choices(package: Package, views: Views, choices: Choices) -> list[Problem]:
    """Makes the choices of what is yet to be created, so that too few zones are told now."""
    problems: list[Problem] = []
    for entry in package.manifest.stacks:
        if views.get(entry.id) is None:
            try:
                wire(entry, None, {}, choices.choose)
            except Refused as refusal:
                problems.append(Problem(str(refusal)))
    return list({problem.text: problem for problem in problems}.values())
