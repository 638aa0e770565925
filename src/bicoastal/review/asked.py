"""Asked and delivered: every row of the request, judged over a deployment.

The table below is the request. A row's module says what it takes to be delivered; this one only asks them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bicoastal.cfn.deployment import Deployment
from bicoastal.review.case import Case
from bicoastal.review.demand import Demand
from bicoastal.review.rows import (
    m01_two_regions,
    m02_residency,
    m03_balancing,
    m04_scaling,
    m05_database,
    m06_network,
    m07_logs,
    m08_access,
    m09_dns,
    m10_tags,
    m11_backup,
    m12_peak,
    m13_production,
    m14_application,
)
from bicoastal.review.verdict import Judgement, RowVerdict


@dataclass(frozen=True)
class Row:
    """A row of the request."""

    id: str
    title: str
    judge: Callable[[Case], Judgement]
    alone: str = ""
    """What is asked of an application in a single region: the same title, if nothing is said; `NOT_ASKED`."""

    def title_for(self, case: Case) -> str:
        """The row's title; empty where it was not asked."""
        if self.id in case.demand.not_asked or (not case.standby and self.alone == NOT_ASKED):
            return ""
        return self.title if case.standby else self.alone or self.title


NOT_ASKED = "-"

ROWS = (
    Row("M1", m01_two_regions.TITLE, m01_two_regions.judge, NOT_ASKED),
    Row("M2", m02_residency.TITLE, m02_residency.judge, "Data stays in its region"),
    Row("M3", m03_balancing.TITLE, m03_balancing.judge, "Load balancing over the zones"),
    Row("M4", m04_scaling.TITLE, m04_scaling.judge),
    Row("M5", m05_database.TITLE, m05_database.judge, "Multi-AZ PostgreSQL with manual failover"),
    Row("M6", m06_network.TITLE, m06_network.judge, "A VPC with public and private subnets"),
    Row("M7", m07_logs.TITLE, m07_logs.judge),
    Row("M8", m08_access.TITLE, m08_access.judge),
    Row("M9", m09_dns.TITLE, m09_dns.judge, NOT_ASKED),
    Row("M10", m10_tags.TITLE, m10_tags.judge),
    Row("M11", m11_backup.TITLE, m11_backup.judge, "Weekday backups in a window, and restore"),
    Row("M12", m12_peak.TITLE, m12_peak.judge),
    Row("M13", m13_production.TITLE, m13_production.judge),
    Row("M14", m14_application.TITLE, m14_application.judge),
)


def judge_all(deployment: Deployment, demand: Demand) -> tuple[RowVerdict, ...]:
    """Every row's verdict, in the order of the request."""
    return tuple(verdicts(deployment, demand))


def verdicts(deployment: Deployment, demand: Demand) -> Iterator[RowVerdict]:
    """The same, one by one: who only wants to know whether anything is missing can stop early."""
    return judged(Case(deployment, demand))


def judged(case: Case, rows: Iterable[Row] = ROWS) -> Iterator[RowVerdict]:
    """The same, for a case whose models somebody else uses too; of some rows, or in another order."""
    for row in rows:
        title = row.title_for(case)
        if not title:
            continue
        judgement = row.judge(case)
        yield RowVerdict(
            row.id,
            title,
            judgement.verdict,
            tuple(judgement.evidence),
            tuple(judgement.missing),
            tuple(judgement.doubts),
        )
