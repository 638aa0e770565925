"""Fences a region's database from outside (D15): by its own kit, then by the network, then by having no servers.

Runs beside a failover for as long as the lost region's API answers nothing, and is waited for by nobody. What it takes
away is in a ledger of the surviving region before it is taken; a rejoin puts it back exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.blueprint import ports
from bicoastal.core.errors import BicoastalError
from bicoastal.operate import kit
from bicoastal.operate.ledger import FENCED, KEPT_OFF, Ledger
from bicoastal.operate.observe import fleet_of
from bicoastal.operate.subject import Subject
from bicoastal.stacks.view import view

SUPERSEDED = "superseded"
"""The kit's own word: only a higher epoch lifts such a fence."""
_KIT_S = 30.0
_NOBODY = "127.0.0.1/32"
_PLAIN = ("IpProtocol", "FromPort", "ToPort", "Description")


def fence_by_kit(session: Session, subject: Subject, region: str, epoch: int) -> None:
    """Have the region's kit fence the database and end its sessions. Raises SystemFault or Refused."""
    fleet = fleet_of(session, subject, region)
    kit.run_verb(
        session,
        subject,
        region,
        fleet.in_service if fleet is not None else (),
        "fence",
        parameters={"Epoch": str(epoch), "Reason": SUPERSEDED},
        within_s=_KIT_S,
    )


def fence_from_outside(session: Session, subject: Subject, region: str, ledger: Ledger) -> str:
    """Withdraw what lets servers to the database, and the servers. Returns what was done. Raises SystemFault."""
    group = _group(session, subject, region, "DatabaseGroup")
    rules = [rule for rule in _standing(session, region, group) if not rule["IsEgress"]]
    fleet = fleet_of(session, subject, region)
    known = ledger.read(FENCED) or _nothing(region, group)
    if fleet is not None and fleet.most:
        known["fleet"] = known["fleet"] or {
            "name": fleet.name, "least": fleet.least, "desired": fleet.desired, "most": fleet.most,
        }  # fmt: skip
    _withdraw(session, rules, known, ledger, FENCED)
    if fleet is not None and fleet.most:
        with aws_faults(f"taking the servers of {region} away"):
            session.client("autoscaling", region).update_auto_scaling_group(
                AutoScalingGroupName=fleet.name, MinSize=0, DesiredCapacity=0, MaxSize=0
            )
    return f"{len(rules)} rules to the database in {region} were withdrawn, and its fleet was set to zero"


def restore(session: Session, region: str, ledger: Ledger) -> str:
    """Put back what was taken from a region; returns what was done, empty for nothing. Raises SystemFault."""
    known = ledger.read(FENCED)
    if known is None or known["region"] != region:
        return ""
    _put_back(session, known)
    fleet = known["fleet"]
    if fleet:
        with aws_faults(f"bringing the servers of {region} back"):
            session.client("autoscaling", region).update_auto_scaling_group(
                AutoScalingGroupName=fleet["name"],
                MinSize=fleet["least"],
                MaxSize=fleet["most"],
                DesiredCapacity=fleet["desired"],
            )
    return f"{len(known['rules'])} rules to the database in {region} and its fleet are as they were"


def keep_off(session: Session, subject: Subject, ledger: Ledger) -> str:
    """Withdraw what lets the servers of the ledger's region to the other region's database; returns what was done.

    Their addresses list it. As long as it takes writes a former primary that comes back would be sent theirs, and once
    it is fenced they would read old rows there, whenever their own database is away for a moment. It is done at this
    end, so that nothing of the other region is asked. Raises SystemFault.
    """
    region = ledger.region
    group = _group(session, subject, region, "FleetGroup")
    rules = [rule for rule in _standing(session, region, group) if _leads_to_the_other_database(rule)]
    if not rules:
        return ""
    _withdraw(session, rules, ledger.read(KEPT_OFF) or _nothing(region, group), ledger, KEPT_OFF)
    return f"servers of {region} are kept off the other region's database"


def let_on(session: Session, ledger: Ledger) -> str:
    """Servers of the ledger's region reach the other region's database again; returns what was done, or nothing."""
    known = ledger.read(KEPT_OFF)
    if known is None:
        return ""
    _put_back(session, known)
    return f"servers of {known['region']} reach the other region's database again"


def forget(ledger: Ledger) -> None:
    """What was taken is back, and was seen to work."""
    for key in (FENCED, KEPT_OFF):
        ledger.forget(key)


def _nothing(region: str, group: str) -> dict[str, Any]:
    """Of what was taken, at first."""
    return {"region": region, "group": group, "rules": [], "fleet": None}


def _withdraw(session: Session, rules: list[dict[str, Any]], known: dict[str, Any], ledger: Ledger, key: str) -> None:
    """Noted before it is done."""
    known["rules"] += [rule for rule in rules if rule not in known["rules"]]
    ledger.write(key, known)
    for rule in rules:
        group = known["group"]
        _modify(session, known["region"], group, rule["SecurityGroupRuleId"], _closed(rule, group))


def _put_back(session: Session, known: Mapping[str, Any]) -> None:
    region, group = known["region"], known["group"]
    now = {_mark(rule): rule for rule in _rules(session, region, group) if _withdrawn(rule, group)}
    for rule in known["rules"]:
        closed = now.get(_mark(rule))
        if closed is not None:
            _modify(session, region, group, closed["SecurityGroupRuleId"], _open(rule))


def _group(session: Session, subject: Subject, region: str, output: str) -> str:
    stack = view(session, subject.stack("network"), region)
    group = stack.outputs.get(output, "") if stack is not None else ""
    if not group:
        raise BicoastalError(f"{subject.stack('network')} in {region} says no {output}")
    return group


def _standing(session: Session, region: str, group: str) -> list[dict[str, Any]]:
    return [rule for rule in _rules(session, region, group) if not _withdrawn(rule, group)]


def _rules(session: Session, region: str, group: str) -> list[dict[str, Any]]:
    """What lets connections in and out, as plain data."""
    with aws_faults(f"reading the rules of {group} in {region}"):
        pages = (
            session.client("ec2", region)
            .get_paginator("describe_security_group_rules")
            .paginate(Filters=[{"Name": "group-id", "Values": [group]}])
        )
        return [_read(rule) for page in pages for rule in page["SecurityGroupRules"]]


def _read(rule: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        name: rule[name]
        for name in ("SecurityGroupRuleId", "IsEgress", *_PLAIN, "CidrIpv4")
        if rule.get(name) is not None
    }
    referenced = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
    return {**found, "ReferencedGroupId": referenced} if referenced else found


def _leads_to_the_other_database(rule: Mapping[str, Any]) -> bool:
    """Within a region groups are named; a group of the other one cannot be, its addresses are."""
    return bool(rule["IsEgress"]) and rule.get("FromPort") == ports.POSTGRESQL and "CidrIpv4" in rule


def _withdrawn(rule: Mapping[str, Any], group: str) -> bool:
    return rule.get("CidrIpv4") == _NOBODY or rule.get("ReferencedGroupId") == group


def _closed(rule: Mapping[str, Any], group: str) -> dict[str, Any]:
    """The same rule for nobody: modified and not revoked, or its stack would look for an id that is gone."""
    source = {"ReferencedGroupId": group} if "ReferencedGroupId" in rule else {"CidrIpv4": _NOBODY}
    return {**{name: rule[name] for name in _PLAIN if name in rule}, **source}


def _open(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {name: rule[name] for name in (*_PLAIN, "CidrIpv4", "ReferencedGroupId") if name in rule}


def _mark(rule: Mapping[str, Any]) -> tuple[Any, ...]:
    return (bool(rule.get("IsEgress")), *(rule.get(name) for name in _PLAIN), "ReferencedGroupId" in rule)


def _modify(session: Session, region: str, group: str, rule: str, wanted: Mapping[str, Any]) -> None:
    with aws_faults(f"changing the rule {rule} of {group} in {region}"):
        session.client("ec2", region).modify_security_group_rules(
            GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": dict(wanted)}]
        )
