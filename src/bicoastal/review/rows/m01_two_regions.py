"""M1: two regions, both serving, either of which can be lost."""

from __future__ import annotations

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Value
from bicoastal.review.case import Case
from bicoastal.review.model.network import Subnet
from bicoastal.review.model.resolution import Situation
from bicoastal.review.verdict import Judgement

TITLE = "Two regions, both serving; either can be lost"


def judge(case: Case) -> Judgement:
    """The same service stands in both regions, users reach both, and the loss of one leaves the other complete."""
    judgement = Judgement()
    for region in case.regions:
        _complete(case, judgement, region)
    _same_templates(case, judgement)
    _answers(case, judgement)
    _independent(case, judgement)
    return judgement


def _complete(case: Case, judgement: Judgement, region: str) -> None:
    if region not in case.deployment.regions:
        judgement.lacks(f"Nothing is deployed to {region}.")
        return
    balancer, fleet = case.balancer(region), case.fleet(region)
    if balancer is None:
        judgement.lacks(f"{region} has no load balancer: users cannot reach the application there.")
    if fleet is None:
        other = case.runs_otherwise(region)
        if other:
            judgement.unsure(f"{other}: whether that serves users is not looked into.")
        else:
            judgement.lacks(f"{region} has no fleet of instances: nothing serves there.")
    if not case.databases(region):
        judgement.lacks(f"{region} has no PostgreSQL database, neither a primary nor a replica.")
    if balancer is not None and fleet is not None:
        zones = {subnet.zone for value in fleet.resource.items("VPCZoneIdentifier") if (subnet := _subnet(case, value))}
        if len(zones) < 2:
            judgement.lacks(f"The fleet of {region} stands in {len(zones) or 'no known'} Availability Zone(s).")
        else:
            judgement.found(fleet.resource, f"a fleet in {len(zones)} Availability Zones behind a balancer")


def _subnet(case: Case, value: Value) -> Subnet | None:
    target = case.deployment.resource(value)
    return case.network(target.region).subnet(value) if target else None


def _same_templates(case: Case, judgement: Judgement) -> None:
    """A template that stands in one region only is said, where it holds what serves users."""
    serving = {"AWS::AutoScaling::AutoScalingGroup", "AWS::RDS::DBInstance", "AWS::EC2::VPC"}
    for name in sorted(serving):
        files = [{item.stack.template.file for item in case.deployment.of_type(name, region=r)} for r in case.regions]
        if all(files) and files[0] != files[1]:
            judgement.unsure(f"The regions' {name} come from different templates: they can drift apart.")


def _answers(case: Case, judgement: Judgement) -> None:
    """Users reach both regions in peace, and only the survivor when one is lost."""
    name = case.public_name
    if not name or not case.names.named(name):
        judgement.lacks(f"No DNS record leads users{f' of {name}' if name else ''} to a balancer.")
        return
    for lost, survivor in (case.regions, case.regions[::-1]):
        for near in case.regions:
            shares = case.resolution.shares(name, Situation(lost=frozenset({lost})), near=near)
            if set(shares) != {survivor}:
                judgement.lacks(
                    f"With {lost} lost, users near {near} are sent to {_spoken(shares)}, not to {survivor}."
                )
    peace = {region for near in case.regions for region in case.resolution.shares(name, Situation(), near=near)}
    for region in case.regions:
        if region not in peace and case.demand.routing == "nearest":
            judgement.lacks(f"{region} serves no users while nothing is lost.")


def _spoken(shares: dict[str, float]) -> str:
    return ", ".join(f"{region} ({share:.0%})" for region, share in sorted(shares.items())) or "nothing"


def _independent(case: Case, judgement: Judgement) -> None:
    """Every input of every stack is fed, by a stack that is there."""
    unfed = [
        f"{stack.id} takes {name} from {fed.stack}, which has no output {fed.output}"
        for stack in case.deployment.stacks.values()
        if stack.sources
        for name, fed in stack.feeds.items()
        if fed.stack not in case.deployment.stacks
        or fed.output not in case.deployment.stacks[fed.stack].evaluator.outputs
    ]
    for text in unfed:
        judgement.lacks(f"{text}.")
    serving: list[Resource] = [item.resource for region in case.regions for item in case.balancers(region)]
    for item in serving:
        foreign = [other for other in _needs(case, item) if other.region != item.region]
        for other in foreign:
            judgement.lacks(
                f"{item.region} {item.logical_id} needs {other.logical_id} of {other.region} to be created."
            )


def _needs(case: Case, item: Resource) -> list[Resource]:
    return [found for _, reference in item.references if (found := case.deployment.resource(reference)) is not None]
