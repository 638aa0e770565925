"""A password in a template is in its history, in the console, and in everybody's copy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Value
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Path, Rule, Seen

RULE = Rule(
    "secret-in-clear",
    Severity.ERROR,
    "A password or key stands in clear in a template",
    "Whoever can read the stack or the repository has it, and it cannot be rotated without a deploy.",
    "Generate it with AWS::SecretsManager::Secret, and refer to it with a dynamic reference.",
    (),
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html",
)
_NAMES = frozenset(
    {"MasterUserPassword", "Password", "AdminPassword", "AuthToken", "SecretString", "AccessToken", "ClientSecret"}
)
_KEYS = re.compile(r"password|passwd|secret_?key|api_?key|auth_?token", re.IGNORECASE)
_PLACEHOLDERS = re.compile(r"(?:change.?me|example|placeholder|x+|\*+|none|null|true|false)$", re.IGNORECASE)


def look(case: Case) -> Iterator[Seen]:
    """Properties for secrets, environments of functions, and user data."""
    for item in case.deployment.resources:
        for name in _NAMES & item.properties.keys():
            if _clear(item.get(name)):
                yield Hit(item, f"{name} of {item.logical_id} {_written(item, name)}.", (name,))
        variables = item.get("Environment", "Variables")
        for name, value in variables.items() if isinstance(variables, dict) else ():
            if _KEYS.search(str(name)) and _clear(value):
                path = ("Environment", "Variables", name)
                yield Hit(item, f"{name} of {item.logical_id} {_written(item, *path)}.", path)
        within: Path = ("LaunchTemplateData", "UserData") if item.type == "AWS::EC2::LaunchTemplate" else ("UserData",)
        text = case.deployment.spelled(item.get(*within, default=""))
        found = _in_text().search(text) if text else None
        if found and not _PLACEHOLDERS.match(found[1] or ""):
            yield Hit(item, f"User data of {item.logical_id} has {found[0].split('=')[0].strip()} written out.", within)


def _written(item: Resource, *path: str | int) -> str:
    """Where a secret stands in clear: in its place, or as the default of a parameter that nobody has to give."""
    node: Any = item.body.get("Properties")
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    value = str(item.get(*path))
    declarations = item.stack.template.section("Parameters").items()
    # Of several parameters in one text, the one that is meant to be secret.
    for name, declared in sorted(
        declarations, key=lambda pair: not (_KEYS.search(pair[0]) or "NoEcho" in str(pair[1]))
    ):
        default = declared.get("Default") if isinstance(declared, dict) else None
        if default not in (None, "") and str(default) in value and re.search(rf"\b{re.escape(name)}\b", str(node)):
            return f"is what {name} has by default: whoever deploys this and gives none gets one that all can read"
    return "is written out"


@cache
def _in_text() -> re.Pattern[str]:
    """What gives a secret in a script away. Compiled when there is a script: it takes longer than most rules take."""
    return re.compile(
        r"\b(?:[A-Za-z_]*(?:PASSWORD|PASSWD|SECRET_KEY|API_KEY|AUTH_TOKEN))\s*[=:]\s*[\"']?([^\s\"'${}<>]{6,})"
        r"|(AKIA[0-9A-Z]{16})",
        re.IGNORECASE,
    )


def _clear(value: Value) -> bool:
    """A text that is neither a reference of any kind nor an obvious placeholder."""
    if not isinstance(value, str) or len(value) < 4 or "{{" in value or value.startswith("arn:"):
        return False
    return not ("<" in value and re.search(r"<[^<>\n]*>", value))  # `<your password>`
