"""What AWS offers to everybody: instance types in zones, and images by Systems Manager's public parameters.

A deployment asks both before it makes anything. The twin's zones offer every type: what one can do is not shown here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import answers, emulator
from bicoastal.twin.cloud.registry import ServiceError

Json = Any

_ZONES = "abc"
_TYPE = re.compile(r"[a-z][a-z0-9-]*\.(nano|micro|small|medium|large|metal(-\d+xl)?|\d*xlarge)")
_IMAGES = re.compile(r"/aws/service/ami-amazon-linux-latest/al2023-ami-(minimal-)?kernel-[\w.]+-(x86_64|arm64)")


def instance_type_offerings(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeInstanceTypeOfferings for types that are asked for by name, by region or by zone."""
    region, kind = emulator.region(), request.get("LocationType", "region")
    places = {"region": [region], "availability-zone": [region + zone for zone in _ZONES]}
    if kind not in places:
        raise ServiceError("InvalidParameterValue", f"LocationType {kind} is not known here")
    filters = {item["Name"]: item.get("Value", []) for item in request.get("Filter", ())}
    if unknown := filters.keys() - {"instance-type", "location"}:
        raise ServiceError("InvalidParameterValue", f"The filter '{min(unknown)}' is invalid")
    return {
        "instanceTypeOfferingSet": [
            {"instanceType": name, "locationType": kind, "location": place}
            for name in filters.get("instance-type", ["t3.micro"])
            if _TYPE.fullmatch(name)
            for place in places[kind]
            if place in filters.get("location", [place])
        ]
    }


def get_parameter(request: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """GetParameter for the public parameters that name Amazon Linux images; None for any other."""
    name = str(request.get("Name", ""))
    if not _IMAGES.fullmatch(name):
        return None
    region = emulator.region()
    return {
        "Parameter": {
            "Name": name,
            "Type": "String",
            "Value": f"ami-{hashlib.sha256(f'{region}{name}'.encode()).hexdigest()[:17]}",
            "Version": 1,
            "ARN": f"arn:aws:ssm:{region}::parameter{name}",
            "DataType": "aws:ec2:image",
        }
    }


def install_parameters() -> None:
    """Answer public parameters before the account's own."""
    handlers = emulator.service_handlers()
    inner = handlers["ssm"]

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Json]
    ) -> answers.Answer:
        if headers.get("x-amz-target", "").endswith(".GetParameter"):
            found = get_parameter(json.loads(body or b"{}"))
            if found is not None:
                return answers.json_answer(found)
        passed: answers.Answer = await inner(method, path, headers, body, query)
        return passed

    handlers["ssm"] = handle
