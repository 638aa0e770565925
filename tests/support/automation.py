"""Automation runbooks for tests: which IAM actions their steps need, and where an execution can go."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

Json = Any

_PERMISSION = {"s3:ListObjectsV2": {"s3:ListBucket"}}
"""Where the permission is not called as the API is."""
_ALSO = {
    "scheduler:CreateSchedule": {"iam:PassRole"},
    "ec2:RunInstances": {
        "ec2:CreateTags",
        "iam:PassRole",
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    },
    "s3:GetObject": {"kms:Decrypt"},
}
"""What AWS asks of the caller beside the call itself: roles handed over, tags and encrypted volumes at launch."""
CANCELABLE = {"aws:createTags", "aws:sleep"}
"""Steps for which AWS documents `onCancel`, of those used here."""


def steps(document: Json) -> list[Json]:
    """The steps in the order in which they are written."""
    return list(document["mainSteps"])


def needed_actions(document: Json) -> set[str]:
    """Every IAM action that the document's role needs, and no other."""
    calls = {call for step in steps(document) for call in _calls(step)}
    actions = set()
    for call in calls:
        actions |= _PERMISSION.get(call, {call}) | _ALSO.get(call, set())
    return actions


def _calls(step: Json) -> Iterator[str]:
    inputs = step["inputs"]
    match step["action"]:
        case "aws:executeAwsApi" | "aws:assertAwsResourceProperty" | "aws:waitForAwsResourceProperty":
            yield f"{inputs['Service']}:{inputs['Api']}"
        case "aws:createTags":
            yield from ("ec2:CreateTags", "ec2:DescribeTags")
        case "aws:executeScript":
            yield from script_calls(inputs["Script"])
        case "aws:sleep" | "aws:branch":
            return
        case other:
            raise NotImplementedError(other)


def script_calls(script: str) -> Iterator[str]:
    """What a script calls through clients that it makes with `boto3.client("...")`."""
    tree = ast.parse(script)
    clients = {
        node.targets[0].id: str(node.value.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and _is_client(node.value)
        and isinstance(node.value.args[0], ast.Constant)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner, method = node.func.value, node.func.attr
        service = clients.get(owner.id) if isinstance(owner, ast.Name) else None
        if isinstance(owner, ast.Call) and _is_client(owner) and isinstance(owner.args[0], ast.Constant):
            service = str(owner.args[0].value)
        if service is None:
            continue
        if method == "get_paginator":
            assert isinstance(node.args[0], ast.Constant)
            method = str(node.args[0].value)
        yield f"{service}:{_camel(method)}"


def _is_client(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "client"


def _camel(method: str) -> str:
    return "".join(word.capitalize() for word in method.split("_"))


def ways(document: Json) -> dict[str, set[str]]:
    """Step to the steps that may come next, `Abort` and `End` included; however the step goes."""
    order = [step["name"] for step in steps(document)]
    found: dict[str, set[str]] = {}
    for position, step in enumerate(steps(document)):
        after = order[position + 1] if position + 1 < len(order) else "End"
        next_ = "End" if step.get("isEnd") else after
        exits = {next_}
        for choice in step["inputs"].get("Choices", []):
            exits.add(choice["NextStep"])
        for property_ in ("onFailure", "onCancel"):
            told = step.get(property_, "Abort")
            exits.add(next_ if told == "Continue" else told.removeprefix("step:"))
        found[step["name"]] = exits
    return found


def placeholders(value: Json) -> set[str]:
    """What stands in `{{ }}` anywhere in the value."""
    return {name.strip() for name in re.findall(r"\{\{\s*([^}]+?)\s*\}\}", repr(value))}
