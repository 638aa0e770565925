"""Load balancers: weighted forwards, which ministack reduces to their first target group, and full names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import answers, emulator
from bicoastal.twin.cloud.answers import Items

Json = Any
Record = dict[str, Json]


def install() -> None:
    """Put both in place."""
    _full_names()
    _weighted_forwards()


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
