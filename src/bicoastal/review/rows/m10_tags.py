"""M10: cost center and environment on everything that takes tags."""

from __future__ import annotations

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Value
from bicoastal.review.case import Case
from bicoastal.review.model.taggable import TAGS_OF
from bicoastal.review.verdict import Judgement, where

TITLE = "Cost-center and environment tags on everything"


def judge(case: Case) -> Judgement:
    """The tags on each resource: its own, or its stack's."""
    judgement = Judgement()
    tagged = 0
    for item in case.deployment.resources:
        property_ = TAGS_OF.get(item.type)
        if property_ is None:
            continue
        if _holds(case, judgement, item, property_):
            tagged += 1
            if tagged == 1:
                judgement.found(item, "bears the tags, like everything else", property_)
    for region in case.regions:
        for fleet in case.fleets(region):
            _propagated(case, judgement, fleet.resource)
    if not tagged:
        judgement.lacks("Nothing is tagged.")
    else:
        first = judgement.evidence[0]
        judgement.evidence[0] = type(first)(
            first.template, first.region, first.resource, first.line, f"{tagged} resources bear the tags"
        )
    return judgement


def _holds(case: Case, judgement: Judgement, item: Resource, property_: str) -> bool:
    own = tags_of(case, item.get(property_))
    complete = True
    for key, wanted in case.demand.tags.items():
        value = own.get(key, case.deployment.tags.get(key))
        if value is None:
            judgement.lacks(f"{where(item)} has no tag {key}.")
            complete = False
        elif wanted is not None and value != wanted:
            judgement.lacks(f"{where(item)}: the tag {key} is {value}, not {wanted}.")
            complete = False
    return complete


def tags_of(case: Case, value: Value) -> dict[str, str]:
    """Tags as a mapping, from a list of Key and Value or from a mapping."""
    if isinstance(value, dict):
        return {str(key): case.deployment.spelled(item) for key, item in value.items()}
    found = {}
    for entry in value if isinstance(value, list) else []:
        if isinstance(entry, dict) and "Key" in entry:
            found[str(entry["Key"])] = case.deployment.spelled(entry.get("Value", ""))
    return found


def _propagated(case: Case, judgement: Judgement, fleet: Resource) -> None:
    """Instances get the fleet's tags only where each says so; volumes get them from the launch template."""
    for index, entry in enumerate(fleet.items("Tags")):
        if isinstance(entry, dict) and entry.get("Key") in case.demand.tags:
            judgement.expect(
                fleet,
                ("Tags", index, "PropagateAtLaunch"),
                True,
                f"its instances do not get the tag {entry.get('Key')}",
            )
