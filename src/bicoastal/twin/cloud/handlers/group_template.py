"""Which launch template and version a group, or an instance refresh, launches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Refused

Json = Any
Record = dict[str, Json]


def launch_template(given: Mapping[str, Json]) -> Record:
    """The template and version as they are named. Raises Refused for a version that is not there."""
    if not given:
        return {}
    table = emulator.store("ec2", "_launch_templates")
    record = table.get(given.get("LaunchTemplateId", "")) or next(
        (item for item in table.values() if item["LaunchTemplateName"] == given.get("LaunchTemplateName")), None
    )
    if record is None:
        raise Refused(f"The launch template {dict(given)} does not exist (ValidationError)")
    version = str(given.get("Version", "$Default"))
    known = {str(item["VersionNumber"]) for item in record["Versions"]} | {"$Default", "$Latest"}
    if version not in known:
        raise Refused(f"Invalid launch template version: {version} of {record['LaunchTemplateId']} (ValidationError)")
    return {
        "LaunchTemplateId": record["LaunchTemplateId"],
        "LaunchTemplateName": record["LaunchTemplateName"],
        "Version": version,
    }
