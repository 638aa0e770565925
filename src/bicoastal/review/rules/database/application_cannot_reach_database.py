"""An application that is told of a database must also get there."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.ends import database_ends, database_port, fleet_ends
from bicoastal.review.model.service import Fleet
from bicoastal.review.rule import CannotTell, Hit, Rule, Seen

RULE = Rule(
    "application-cannot-reach-database",
    Severity.ERROR,
    "Instances cannot reach the database that they are told of",
    "Every request that needs data fails, from the first minute or from the first failover.",
    "Let the database's security group take its port from the instances' group, and look at the routes and ACLs named.",
    ("AWS::RDS::DBInstance",),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.Scenarios.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Fleets whose launch template mentions a database of their region, or the secret that holds its password."""
    for region in case.deployment.regions:
        databases = case.deployment.of_type("AWS::RDS::DBInstance", region=region)
        for fleet in case.fleets(region) if databases else ():
            if fleet.template is None:
                continue
            named = {id(item) for item in case.deployment.mentioned(fleet.template.properties)}
            text = str(fleet.template.properties)
            for database in databases:
                if _told(case, named, text, database, alone=len(databases) == 1):
                    yield from _between(case, fleet, database)


def _told(case: Case, named: set[int], text: str, database: Resource, *, alone: bool) -> bool:
    """By reference, by name, or by the password of the only one."""
    if id(database) in named:
        return True
    name = case.deployment.name(database)
    if name is not None and case.deployment.spelled(name) in text:
        return True
    secrets = case.deployment.mentioned(database.get("MasterUserPassword"))
    return alone and any(id(secret) in named for secret in secrets)


def _between(case: Case, fleet: Fleet, database: Resource) -> Iterator[Seen]:
    sources, vague = fleet_ends(case.reachable, fleet)
    destinations, unclear = database_ends(case.deployment, case.reachable, database)
    if vague or unclear:
        yield CannotTell(database, f"Whether {fleet.resource.logical_id} reaches it: {vague or unclear}.")
        return
    port = database_port(database)
    reasons = (case.reachable.blocked(one, other, port) for one in sources for other in destinations)
    reason = next(filter(None, reasons), "")
    if reason:
        yield Hit(database, f"{fleet.resource.logical_id} is told of {database.logical_id}, and {reason}.")
