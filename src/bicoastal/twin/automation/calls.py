"""Calls of any action of any AWS service by its name, as documents and universal targets name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import SystemFault
from bicoastal.twin.automation.values import as_text, plain

Json = Any
_SDK_NAMES = {
    "elasticloadbalancingv2": "elbv2",
    "elasticloadbalancing": "elb",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "applicationautoscaling": "application-autoscaling",
    "sfn": "stepfunctions",
    "resourcegroupstagging": "resourcegroupstaggingapi",
    "tagging": "resourcegroupstaggingapi",
    "route-53": "route53",
    "auto-scaling": "autoscaling",
    "secrets-manager": "secretsmanager",
}
"""Names that services have in other SDKs."""


def call(session: Session, region: str, service: str, action: str, parameters: Mapping[str, Json]) -> Json:
    """Call it and return the answer as JSON. Raises SystemFault (ApiFault for the service's own no)."""
    doing = f"calling {service}:{action}"
    name = service.lower()
    client = session.client(_SDK_NAMES.get(name, name), region)
    wanted = action.replace("_", "").replace("-", "").lower()
    methods = {operation.lower(): method for method, operation in client.meta.method_to_api_mapping.items()}
    if wanted not in methods:
        raise SystemFault(f"{doing}: the service has no such action")
    method = methods[wanted]
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    with aws_faults(doing):
        answer = getattr(client, method)(**_as_modeled(model.input_shape, dict(parameters)))
    answer.pop("ResponseMetadata", None)
    return plain(answer)


def _as_modeled(shape: Json, value: Json) -> Json:
    """Texts as numbers and truth values, and the other way round, where the service's model says so.

    Templates and parameters hand over much as text.
    """
    if shape is None or value is None:
        return {} if value is None else value
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        return {name: _as_modeled(shape.members.get(name), item) for name, item in value.items()}
    if kind == "map" and isinstance(value, Mapping):
        return {name: _as_modeled(shape.value, item) for name, item in value.items()}
    if kind == "list":
        items = value if isinstance(value, list) else [value]
        return [_as_modeled(shape.member, item) for item in items]
    return _scalar(kind, value)


def _scalar(kind: str, value: Json) -> Json:
    if kind in ("integer", "long") and isinstance(value, str) and value.lstrip("-").isdecimal():
        return int(value)
    if kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind == "string" and not isinstance(value, str | bytes):
        return as_text(value)
    return value
