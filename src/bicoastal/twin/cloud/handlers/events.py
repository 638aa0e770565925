"""Events that AWS's services send of themselves to the default bus: rules match them, and their targets get them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud import emulator

Json = Any


def emit(source: str, detail_type: str, detail: Mapping[str, Json], resources: Sequence[str] = ()) -> None:
    """Send one, of the region that the request is in."""
    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": list(resources),
    }
    emulator.of_service("eventbridge", "_put_events")({"Entries": [entry]}, allow_aws_source=True)


def call_seen(source: str, name: str, request: Mapping[str, Json]) -> None:
    """CloudTrail's event of a call that was taken. Calls that IAM refused are not seen here (docs/fidelity.md)."""
    arn = emulator.caller()
    emit(
        f"aws.{source}",
        "AWS API Call via CloudTrail",
        {
            "eventSource": f"{source}.amazonaws.com",
            "eventName": name,
            "awsRegion": emulator.region(),
            "sourceIPAddress": "127.0.0.1",
            "userIdentity": {"type": _kind(arn), "arn": arn, "accountId": emulator.account()},
            "requestParameters": {key[:1].lower() + key[1:]: value for key, value in request.items()},
            "eventTime": iso(time.time()),
        },
    )


def iso(at: float) -> str:
    """A time as CloudTrail and EventBridge write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _kind(arn: str) -> str:
    if arn.endswith(":root"):
        return "Root"
    return "AssumedRole" if ":assumed-role/" in arn else "IAMUser"
