"""A grant is made where it is needed: who owns a resource says what may be done with it, `access` puts it into a role.

A grant names its resources by a function of the stack that uses it, because the role may stand in another stack than
the resource: there the ARN is an input. This module knows no resource and creates none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.intrinsics import Value


@dataclass(frozen=True)
class Grant:
    """Permission for some actions on some resources, to be written into a role of any stack.

    `sid` is letters and digits, and says what the permission is for. `resources` gives ARNs as values of the stack it
    is called with. `condition` is IAM's: operator, then key, then value; pseudo parameters may be used in it, outputs
    of stacks may not.
    """

    sid: str
    actions: tuple[str, ...]
    resources: Callable[[Stack], list[Value]]
    condition: Mapping[str, Mapping[str, Value]] | None = None

    def statement(self, stack: Stack) -> dict[str, Value]:
        """The grant as a statement of a policy in `stack`, which gets the inputs that the resources need."""
        return allow(self.sid, self.actions, self.resources(stack), self.condition)


def allow(
    sid: str, actions: Iterable[str], resources: list[Value], condition: Mapping[str, Mapping[str, Value]] | None = None
) -> dict[str, Value]:
    """An Allow statement. Where only `"*"` is possible as resource, the caller says why in a comment."""
    return _statement("Allow", sid, actions, resources, condition)


def deny(
    sid: str, actions: Iterable[str], resources: list[Value], condition: Mapping[str, Mapping[str, Value]] | None = None
) -> dict[str, Value]:
    """A Deny statement: it wins over every Allow, also over those that somebody attaches later."""
    return _statement("Deny", sid, actions, resources, condition)


def policy(statements: Iterable[Value]) -> dict[str, Value]:
    """A policy document of these statements, in their order."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(
    principal: Mapping[str, Value], condition: Mapping[str, Mapping[str, Value]] | None = None
) -> dict[str, Value]:
    """A trust policy: this principal may assume the role."""
    statement: dict[str, Value] = {"Effect": "Allow", "Principal": dict(principal), "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = {operator: dict(keys) for operator, keys in condition.items()}
    return policy([statement])


def _statement(
    effect: str,
    sid: str,
    actions: Iterable[str],
    resources: list[Value],
    condition: Mapping[str, Mapping[str, Value]] | None,
) -> dict[str, Value]:
    if not sid.isalnum():
        raise ValueError(f"a statement's id is letters and digits only, not {sid!r}")
    statement: dict[str, Value] = {"Sid": sid, "Effect": effect, "Action": list(actions), "Resource": resources}
    if condition:
        statement["Condition"] = {operator: dict(keys) for operator, keys in condition.items()}
    return statement
