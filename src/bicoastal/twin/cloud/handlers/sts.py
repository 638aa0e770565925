"""Sessions that AWS's services take for themselves: EC2 for an instance's profile, Systems Manager for an automation.

No caller of the API can ask for one, so the controllers ask at the gateway's admin path. The role's trust is heeded:
a role that does not trust the service gives it nothing. Conditions in the trust are not evaluated for a service.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import ServiceError

Json = Any
LONGEST_S = 6 * 3600
"""As long as an instance's credentials live."""


def service_session(role: str, service: str, name: str, seconds: int = LONGEST_S) -> dict[str, str]:
    """Temporary credentials of a role for a service's principal. Raises ServiceError where there is no such trust."""
    record = emulator.store("iam", "_roles").get(role.rpartition("/")[2])
    if record is None:
        raise ServiceError("NoSuchEntity", f"The role {role} does not exist", 404)
    if not _trusts(record["AssumeRolePolicyDocument"], service):
        raise ServiceError("AccessDenied", f"{record['Arn']} does not trust {service}", 403)
    session = {
        "AccessKeyId": "ASIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16)),
        "SecretAccessKey": secrets.token_urlsafe(30),
        "SessionToken": secrets.token_urlsafe(60),
    }
    seconds = min(seconds, LONGEST_S)
    emulator.of_service("sts", "register_session")(
        session["AccessKeyId"],
        {
            "Arn": f"arn:aws:sts::{emulator.account()}:assumed-role/{record['RoleName']}/{name}",
            "UserId": f"{record['RoleId']}:{name}",
            "SecretAccessKey": session["SecretAccessKey"],
            "SessionToken": session["SessionToken"],
            "Expiration": time.time() + seconds,
            "AccountId": emulator.account(),
            "PrincipalType": "AssumedRole",
            "SessionTags": [],
            "SessionPolicies": None,
        },
    )
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    return {**session, "Expiration": expires}


def _trusts(document: Json, service: str) -> bool:
    policy: Mapping[str, Json] = json.loads(document) if isinstance(document, str) else document
    statements = policy.get("Statement") or []
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        principal = statement.get("Principal") or {}
        services = principal.get("Service", []) if isinstance(principal, Mapping) else []
        actions = statement.get("Action") or []
        if (
            statement.get("Effect") == "Allow"
            and service in ([services] if isinstance(services, str) else services)
            and "sts:AssumeRole" in ([actions] if isinstance(actions, str) else actions)
        ):
            return True
    return False
