"""Service Quotas, which ministack lacks: the quotas that a new account has, for those that a deployment asks about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import answers, emulator
from bicoastal.twin.cloud.registry import ServiceError

Json = Any

_SERVICE = "service-quotas"
_TARGET = "ServiceQuotasV20190624."
QUOTAS: Mapping[tuple[str, str], tuple[str, float]] = {
    ("ec2", "L-0263D0A3"): ("EC2-VPC Elastic IPs", 5.0),
    ("vpc", "L-F678F1CE"): ("VPCs per Region", 5.0),
}
"""Service and code to name and value: the defaults in the user guides of EC2 and VPC ("Quotas"), November 2026."""


def install() -> None:
    """Make the service known."""
    emulator.new_service(_SERVICE, _TARGET, "servicequotas", _handle)


async def _handle(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Json]
) -> answers.Answer:
    del method, path, query
    action = headers.get("x-amz-target", "").removeprefix(_TARGET)
    try:
        if action not in ("GetServiceQuota", "GetAWSDefaultServiceQuota"):
            raise ServiceError("UnknownOperationException", f"{action} is not answered here")
        return answers.json_answer({"Quota": _quota(json.loads(body or b"{}"))})
    except ServiceError as error:
        return answers.json_error(error)


def _quota(request: Mapping[str, Json]) -> Json:
    service, code = str(request.get("ServiceCode")), str(request.get("QuotaCode"))
    if (service, code) not in QUOTAS:
        raise ServiceError("NoSuchResourceException", f"The quota {code} of {service} is not known here", 404)
    name, value = QUOTAS[service, code]
    return {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaArn": f"arn:aws:servicequotas:{emulator.region()}:{emulator.account()}:{service}/{code}",
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
