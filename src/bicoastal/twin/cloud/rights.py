"""What a call must be allowed to do, where ministack's evaluation asks about too little or about the wrong resource.

IAM's evaluation itself is ministack's. A handler module says for an action which resources it is about, with which
condition keys, and which other rights it takes (to hand over a role, to tag at launch): all of them must be allowed.
An action without a rule is asked about as ministack does.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from bicoastal.twin.cloud import answers, emulator

Json = Any
_CBOR_MAPS = (0xA0, 0xBF)
"""First bytes of a CBOR document: neither JSON nor a query begins so."""


@dataclass(frozen=True)
class Request:
    """A call, as its service reads it."""

    region: str
    account: str
    path: str
    data: Mapping[str, Json]
    """Its parameters: the body, or those of the query."""

    def arn(self, service: str, resource: str) -> str:
        """Of a resource in the call's region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True)
class Check:
    """One thing that must be allowed."""

    resource: str
    keys: Mapping[str, Json] = field(default_factory=dict)
    """Condition keys that hold for it, beside the request's own."""
    action: str = ""
    """IAM's name for it, where it is another right than the call's: `iam:PassRole`."""


MFA_PRESENT: ContextVar[bool] = ContextVar("MFA_PRESENT", default=False)
"""Whether the call that is being judged came with a right code of its caller's device."""
_ENFORCE: ContextVar[Callable[[Check], Json] | None] = ContextVar("_ENFORCE", default=None)
"""What judges the caller of the call that is being answered."""
Rule = Callable[[Request], Sequence[Check]]
_RULES: dict[str, Rule] = {}


def hand_over(role: str, service: str) -> Check:
    """The caller may pass this role to that service: `ssm.amazonaws.com`."""
    return Check(role, {"iam:PassedToService": service}, "iam:PassRole")


def tag_keys(prefix: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Condition keys of a resource's tags: `aws:ResourceTag/application`."""
    return {f"{prefix}/{name}": value for name, value in tags.items()}


def ec2_tags(id_: str) -> dict[str, str]:
    """The tags of a resource of EC2's."""
    return {tag["Key"]: tag.get("Value", "") for tag in emulator.store("ec2", "_tags").get(id_) or ()}


def allowed(check: Check) -> bool:
    """Whether whoever makes the call that is being answered may do that as well; it names its action."""
    enforce = _ENFORCE.get()
    return enforce is None or not enforce(check)


def rules(found: Mapping[str, Rule]) -> None:
    """Ask so for these actions, named as IAM names them: `ssm:StartSession`."""
    _RULES.update(found)


class _Asked(str):
    """What ministack carries from finding the resource to asking about it: the resource, and all that is asked."""

    __slots__ = ("checks",)
    checks: Sequence[Check]


def install() -> None:
    """Put the rules before ministack's evaluation; once."""
    find, enforce = emulator.resource_finder(), emulator.enforcer()

    def finder(  # noqa: PLR0917 - ministack's signature
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query: Mapping[str, list[str]],
        region: str,
        account: str,
    ) -> str:
        action = emulator.iam_action_of(service, method, path, headers=headers, body=body, query=query)
        rule = _RULES.get(action)
        checks = rule(Request(region, account, path, _data(body, query))) if rule else ()
        if not checks:
            return str(find(service, method, path, headers, body, query, region, account))
        asked = _Asked(checks[0].resource)
        asked.checks = checks
        return asked

    def asker(  # noqa: PLR0917 - ministack's signature
        key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Json = None
    ) -> Json:
        _ENFORCE.set(lambda check: enforce(key, check.action, service, region, check.resource, dict(check.keys)))
        if not isinstance(resource_arn, _Asked):
            return enforce(key, action, service, region, resource_arn, service_context)
        for check in resource_arn.checks:
            keys = {**(service_context or {}), **check.keys}
            denied = enforce(key, check.action or action, service, region, check.resource, keys)
            if denied:
                return denied
        return None

    emulator.replace_evaluation(finder, asker)
    emulator.replace_condition_keys(_condition_key)


def _condition_key(known: Callable[..., Json], key: str, context: Json) -> Json:
    """As ministack has it, but for who a session of a role is (to a policy, the role) and for what a code is worth."""
    if key.lower() == "aws:multifactorauthpresent" and MFA_PRESENT.get():
        return "true"
    found = known(key, context)
    if key.lower() == "aws:principalarn" and ":assumed-role/" in str(found):
        name = str(found).partition(":assumed-role/")[2].partition("/")[0]
        role = emulator.store("iam", "_roles").get(name)
        return role["Arn"] if role else found
    return found


def _data(body: bytes, query: Mapping[str, list[str]]) -> Mapping[str, Json]:
    flat = {name: "".join(value[:1]) for name, value in query.items()}
    if body.startswith(b"{"):
        try:
            return {**flat, **json.loads(body)}
        except ValueError:
            return flat
    if body and _CBOR_MAPS[0] <= body[0] <= _CBOR_MAPS[1]:
        # CloudWatch's clients alone speak it.
        return {**flat, **importlib.import_module("cbor2").loads(body)}
    return answers.unflatten(flat)
