"""Load balancers, as far as ministack makes too little of them.

Weighted forwards, query-string conditions, listener attributes, the zones and the VPC that they are in, full names, and
a state that is `active` once something answers.

`QUESTIONS` has what the controller of the balancers asks: everything about a region's load balancers at once. The
dozens of calls that it takes otherwise would cost half a core while stacks are deployed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from bicoastal.twin.cloud import answers, emulator, planes, registry
from bicoastal.twin.cloud.answers import Items
from bicoastal.twin.cloud.changes import CHANGES
from bicoastal.twin.cloud.handlers import targets
from bicoastal.twin.cloud.registry import ResourceType, ServiceError, Wanted

Json = Any
Record = dict[str, Json]

_PROTECTION = "deletion_protection.enabled"
_READY_S = 120.0
"""In which a load balancer answers, or its stack fails."""
TYPES: tuple[ResourceType, ...] = ()
NAMESPACE = targets.NAMESPACE
ACTIONS = targets.ACTIONS
REPORTS = targets.REPORTS


def install() -> None:
    """Put all of it in place."""
    _full_names()
    _weighted_forwards()
    _query_strings()
    _places()
    _deletion()
    _activation()
    registry.extend("AWS::ElasticLoadBalancingV2::Listener", after=_keep_attributes)
    registry.extend("AWS::ElasticLoadBalancingV2::ListenerRule", after=_keep_tags)


def _keep_tags(arn: str, wanted: Wanted) -> None:
    emulator.store("alb", "_tags")[arn] = [{"Key": key, "Value": value} for key, value in wanted.tags.items()]


def _everything(data: Mapping[str, Json]) -> Json:
    """The region's load balancers with all that is theirs, and the target groups that they use."""
    del data
    acls = {acl["ARN"]: acl for acl in emulator.store("waf", "_web_acls").values()}
    fronts = emulator.store("waf", "_associations")
    rules: dict[str, list[Record]] = {}
    for rule in emulator.store("alb", "_rules").values():
        rules.setdefault(rule["ListenerArn"], []).append(rule)
    listeners: dict[str, list[Record]] = {}
    for listener in emulator.store("alb", "_listeners").values():
        arn = listener["ListenerArn"]
        listeners.setdefault(listener["LoadBalancerArn"], []).append(
            {
                **listener,
                "Attributes": _attributes("_listener_attrs", arn),
                "Names": _names(listener.get("Certificates", ())),
                "Rules": rules.get(arn, []),
            }
        )
    balancers = [
        {
            **balancer,
            "Attributes": _attributes("_lb_attrs", arn),
            "Listeners": listeners.get(arn, []),
            "WebACL": acls.get(fronts.get(arn)),
        }
        for arn, balancer in emulator.store("alb", "_lbs").items()
    ]
    groups = {arn: _group(group) for arn, group in emulator.store("alb", "_tgs").items()}
    sets = {item["ARN"]: item["Addresses"] for item in emulator.store("waf", "_ip_sets").values()}
    return {"Balancers": balancers, "Groups": groups, "IPSets": sets}


def _group(group: Record) -> Record:
    arn = group["TargetGroupArn"]
    registered = [targets.key_of(group, target) for target in emulator.store("alb", "_targets").get(arn, [])]
    return {
        **group,
        "Attributes": _attributes("_tg_attrs", arn),
        "Health": {key: targets.health_of(group, key) for key in registered},
        "Draining": dict(targets.DRAINING.get(arn, {})),
    }


def _attributes(table: str, arn: str) -> Record:
    return {item["Key"]: item["Value"] for item in emulator.store("alb", table).get(arn, ())}


def _names(certificates: Json) -> list[str]:
    """What ACM says that a listener's certificates are for."""
    found: list[str] = []
    for arn in certificates:
        certificate = emulator.store("acm", "_certificates").get(arn, {})
        found += [certificate["DomainName"]] if "DomainName" in certificate else []
        found += certificate.get("SubjectAlternativeNames", ())
    return list(dict.fromkeys(found))


def _full_names() -> None:
    """A target group's full name begins with `targetgroup/`: alarms' dimensions and splits of it rely on it."""
    inner = emulator.of_service("alb", "_target_group_full_name_from_arn")

    def full_name(arn: str) -> str:
        tail = str(inner(arn))
        return tail if tail.startswith("targetgroup/") else f"targetgroup/{tail}"

    emulator.replace_in_service("alb", "_target_group_full_name_from_arn", full_name)


def _weighted_forwards() -> None:
    """Keep ForwardConfig where actions come in, by template or by API, and answer it where they go out."""
    provisioners = emulator.provisioners()
    of_template, of_request = provisioners._elbv2_listener_actions, emulator.of_service("alb", "_parse_actions")
    answer = emulator.of_service("alb", "_action_xml")

    def from_template(properties: Mapping[str, Json], balancer: str, prop: str = "DefaultActions") -> list[Record]:
        actions: list[Record] = of_template(properties, balancer, prop)
        for action, given in zip(actions, properties.get(prop) or (), strict=True):
            _keep(action, given.get("ForwardConfig"))
            if balancer:
                _attach(action, balancer)
        return actions

    def from_request(parameters: Mapping[str, Json], prefix: str = "DefaultActions") -> list[Record]:
        actions: list[Record] = of_request(parameters, prefix)
        given = answers.unflatten(parameters).get(prefix) or []
        for action, asked in zip(actions, given, strict=False):
            _keep(action, asked.get("ForwardConfig") if isinstance(asked, dict) else None)
        return actions

    def to_answer(action: Record) -> str:
        fixed = action.get("FixedResponseConfig")
        if fixed:
            action = {**action, "FixedResponseConfig": {**fixed, "MessageBody": escape(fixed.get("MessageBody", ""))}}
        text = str(answer(action))
        forward = action.get("ForwardConfig")
        if not forward:
            return text
        groups = Items("member", forward["TargetGroups"])
        written = answers.xml({"ForwardConfig": {**forward, "TargetGroups": groups}})
        return text.removesuffix("</member>") + written + "</member>"

    provisioners._elbv2_listener_actions = from_template
    emulator.replace_in_service("alb", "_parse_actions", from_request)
    emulator.replace_in_service("alb", "_action_xml", to_answer)


def _keep(action: Record, forward: Json) -> None:
    """One target group is answered both ways, several in ForwardConfig alone, as ELB does."""
    if action["Type"] != "forward":
        return
    groups = (forward or {}).get("TargetGroups") or []
    if isinstance(groups, Mapping):
        groups = list(groups.values())
    listed = groups or [{"TargetGroupArn": action.get("TargetGroupArn")}]
    if len(listed) > 1:
        action.pop("TargetGroupArn", None)
    stickiness = (forward or {}).get("TargetGroupStickinessConfig") or {"Enabled": False}
    action["ForwardConfig"] = {
        "TargetGroups": [
            {"TargetGroupArn": group["TargetGroupArn"], "Weight": int(group.get("Weight", 1))} for group in listed
        ],
        "TargetGroupStickinessConfig": dict(stickiness),
    }


def _attach(action: Record, balancer: str) -> None:
    for group in action.get("ForwardConfig", {}).get("TargetGroups", ()):
        arns = emulator.store("alb", "_tgs")[group["TargetGroupArn"]].setdefault("LoadBalancerArns", [])
        if balancer not in arns:
            arns.append(balancer)


def _query_strings() -> None:
    """Keep the pairs of query-string conditions, which the API's parser drops, and answer them."""
    of_request, answer = emulator.of_service("alb", "_parse_conditions"), emulator.of_service("alb", "_condition_xml")

    def from_request(parameters: Mapping[str, Json], prefix: str = "Conditions") -> list[Record]:
        conditions: list[Record] = of_request(parameters, prefix)
        given = answers.unflatten(parameters).get(prefix) or []
        for condition, asked in zip(conditions, given, strict=False):
            if condition["Field"] == "query-string":
                pairs = (asked.get("QueryStringConfig") or {}).get("Values") or []
                condition["Values"] = list(pairs.values()) if isinstance(pairs, Mapping) else list(pairs)
        return conditions

    def to_answer(condition: Record) -> str:
        if condition["Field"] != "query-string":
            return str(answer(condition))
        config = {"Values": Items("member", condition["Values"])}
        return f"<member>{answers.xml({'Field': 'query-string', 'QueryStringConfig': config})}</member>"

    emulator.replace_in_service("alb", "_parse_conditions", from_request)
    emulator.replace_in_service("alb", "_condition_xml", to_answer)


def _places() -> None:
    """Answer the VPC and the zones of a load balancer's subnets, where ministack invents both."""
    inner = emulator.of_service("alb", "_lb_xml")

    def to_answer(balancer: Record) -> str:
        subnets = emulator.store("ec2", "_subnets")
        known = [subnets[id_] for id_ in balancer.get("Subnets", ()) if id_ in subnets]
        if known:
            balancer["VpcId"] = known[0]["VpcId"]
        zones = [
            {"ZoneName": subnet["AvailabilityZone"], "SubnetId": subnet["SubnetId"], "LoadBalancerAddresses": []}
            for subnet in known
        ]
        before, _, rest = str(inner(balancer)).partition("<AvailabilityZones>")
        after = rest.partition("</AvailabilityZones>")[2]
        return before + answers.xml({"AvailabilityZones": Items("member", zones)}) + after

    emulator.replace_in_service("alb", "_lb_xml", to_answer)


def _deletion() -> None:
    """A load balancer takes its listeners and rules along; one that is protected stays."""
    handler = emulator.provisioners()._RESOURCE_HANDLERS["AWS::ElasticLoadBalancingV2::LoadBalancer"]
    remove = handler["delete"]

    def unprotected(arn: str, properties: Mapping[str, Json]) -> None:
        if arn in emulator.store("alb", "_lbs") and _attributes("_lb_attrs", arn).get(_PROTECTION) == "true":
            raise ServiceError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        remove(arn, properties)

    def action(request: Mapping[str, Json]) -> Mapping[str, Json]:
        unprotected(str(request.get("LoadBalancerArn", "")), {})
        return {}

    handler["delete"] = unprotected
    registry.query_actions("alb", NAMESPACE, {"DeleteLoadBalancer": action})


def _activation() -> None:
    """With the data plane attached a load balancer is `provisioning` until it answers; its stack waits for that."""
    if not planes.attached(targets.PLANE):
        return
    actions = emulator.of_service("alb", "_ACTION_MAP")
    inner, balancers = actions["CreateLoadBalancer"], emulator.store("alb", "_lbs")

    def create(parameters: Mapping[str, Json]) -> Json:
        known = set(balancers)
        status, headers, body = inner(parameters)
        for arn in set(balancers) - known:
            balancers[arn]["State"] = "provisioning"
        return status, headers, body.replace(b"<Code>active</Code>", b"<Code>provisioning</Code>")

    def await_active(arn: str, wanted: Wanted) -> None:
        del wanted
        if balancers[arn]["State"] == "active" and not balancers[arn].get("Answered"):
            balancers[arn]["State"] = "provisioning"
            CHANGES.bump()
        planes.wait_until(
            f"Load balancer {arn.rpartition('loadbalancer/')[2]} is active",
            lambda: arn not in balancers or balancers[arn]["State"] == "active",
            _READY_S,
        )

    actions["CreateLoadBalancer"] = create
    registry.extend("AWS::ElasticLoadBalancingV2::LoadBalancer", after=await_active, plane=targets.PLANE)


def _keep_attributes(arn: str, wanted: Wanted) -> None:
    """Those of a listener, which ministack takes from a template only when the listener is changed."""
    given = {item["Key"]: str(item.get("Value", "")) for item in wanted.get("ListenerAttributes") or ()}
    attributes = {"routing.http.response.server.enabled": "true", **_attributes("_listener_attrs", arn), **given}
    emulator.store("alb", "_listener_attrs")[arn] = [{"Key": key, "Value": value} for key, value in attributes.items()]


QUESTIONS = {"elbv2.everything": lambda data: copy.deepcopy(_everything(data))}
