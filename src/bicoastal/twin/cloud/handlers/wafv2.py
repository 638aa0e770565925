"""WAF: what a web ACL stands in front of, and where it logs."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Fixed, Made, ResourceType, ServiceError, Wanted

Json = Any
_GROUP = re.compile(r"arn:aws:logs:([a-z0-9-]+):\d{12}:log-group:(aws-waf-logs-[\w./#-]+)")


class Association(Fixed):
    """A web ACL in front of a load balancer."""

    type = "AWS::WAFv2::WebACLAssociation"

    def create(self, wanted: Wanted) -> Made:
        """Put it there; it takes the place of the one that stood there."""
        resource = wanted.get("ResourceArn")
        if ":loadbalancer/app/" in resource and resource not in emulator.store("alb", "_lbs"):
            raise ServiceError("WAFUnavailableEntityException", f"{resource} does not exist, or is not ready")
        emulator.call("waf", "AWSWAF_20190729.AssociateWebACL", dict(wanted.properties))
        return Made(f"{resource}|{wanted.get('WebACLArn')}")

    def delete(self, id_: str, was: Wanted) -> None:
        """Take it away."""
        emulator.call("waf", "AWSWAF_20190729.DisassociateWebACL", {"ResourceArn": id_.partition("|")[0]})


class Logging(ResourceType):
    """Where a web ACL logs."""

    type = "AWS::WAFv2::LoggingConfiguration"

    def create(self, wanted: Wanted) -> Made:
        """Make it; a web ACL has one."""
        resource = wanted.get("ResourceArn")
        if resource in LOGGING:
            raise ServiceError("WAFDuplicateItemException", f"{resource} has a logging configuration")
        return self._put(wanted)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """All but the web ACL changes in place."""
        return self._put(wanted)

    def delete(self, id_: str, was: Wanted) -> None:
        """End it."""
        LOGGING.pop(id_, None)

    def _put(self, wanted: Wanted) -> Made:
        resource = wanted.get("ResourceArn")
        put(dict(wanted.properties))
        return Made(resource, {"ManagedByFirewallManager": "false"})


def put(configuration: dict[str, Json]) -> None:
    """PutLoggingConfiguration. WAF writes only to log groups of its prefix, in its region, without the `:*`."""
    acls = emulator.store("waf", "_web_acls").values()
    if not any(acl["ARN"] == configuration["ResourceArn"] for acl in acls):
        raise ServiceError("WAFNonexistentItemException", f"{configuration['ResourceArn']} does not exist")
    for destination in configuration["LogDestinationConfigs"]:
        found = _GROUP.fullmatch(destination)
        if not found and ":logs:" in destination:
            raise ServiceError(
                "WAFInvalidParameterException",
                f"The ARN isn't valid: {destination}. Its name begins with aws-waf-logs-, and it has no :*",
            )
        if found and (
            found[1] != emulator.region() or found[2] not in emulator.store("cloudwatch_logs", "_log_groups")
        ):
            raise ServiceError("WAFLogDestinationPermissionIssueException", f"{destination} does not exist here")
    LOGGING[configuration["ResourceArn"]] = {**configuration, "ManagedByFirewallManager": False}


def encoded(value: Json) -> Json:
    """A web ACL's search strings as the API keeps them: in base64, whichever of the two properties gave them."""
    if isinstance(value, list):
        return [encoded(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    read = {name: encoded(item) for name, item in value.items()}
    if "SearchString" in read:
        read["SearchString"] = base64.b64encode(str(read["SearchString"]).encode()).decode()
    if "SearchStringBase64" in read:
        read["SearchString"] = read.pop("SearchStringBase64")
    return read


def _get(request: Mapping[str, Json]) -> Mapping[str, Json]:
    found = LOGGING.get(request["ResourceArn"])
    if found is None:
        raise ServiceError("WAFNonexistentItemException", f"{request['ResourceArn']} has no logging configuration")
    return {"LoggingConfiguration": found}


def _put_action(request: Mapping[str, Json]) -> Mapping[str, Json]:
    put(dict(request["LoggingConfiguration"]))
    return _get({"ResourceArn": request["LoggingConfiguration"]["ResourceArn"]})


def _delete_action(request: Mapping[str, Json]) -> Mapping[str, Json]:
    _get(request)
    LOGGING.pop(request["ResourceArn"])
    return {}


LOGGING = emulator.new_table("waf_logging")
TYPES = (Association(), Logging())
ACTIONS = {
    "GetLoggingConfiguration": _get,
    "PutLoggingConfiguration": _put_action,
    "DeleteLoggingConfiguration": _delete_action,
    "ListLoggingConfigurations": lambda _: {"LoggingConfigurations": list(LOGGING.values())},
}
