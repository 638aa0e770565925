"""What a trail records: calls that change something, as events in its log group, where metric filters count them.

The gateway says which calls came and how they ended; a call that a fault kept from AWS is none. Left out: calls that
only read, calls of data planes (objects, messages, log events), and the trail's bucket, which stays empty.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from bicoastal.twin.cloud import answers, emulator
from bicoastal.twin.cloud.handlers.events import iso

Json = Any

MOST_BYTES = 64 * 1024
"""Of a request whose parameters are recorded; CloudTrail leaves them out of events that grow too large, too."""
_GLOBAL = ("iam", "route53", "cloudfront", "sts")
_GLOBAL_REGION = "us-east-1"
_DATA_PLANES = ("s3", "sqs", "kms")
_DATA = ("PutLogEvents", "PutMetricData", "Publish", "SignalResource", "UpdateInstanceInformation")
_NOT_OF_A_DATA_PLANE = (
    "CreateBucket",
    "DeleteBucket",
    "CreateQueue",
    "DeleteQueue",
    "CreateKey",
    "ScheduleKeyDeletion",
)
_HIDDEN = ("password", "secretstring", "secretbinary", "secretaccesskey", "userdata")


def seen(service: str, region: str, action: str, body: bytes, outcome: str) -> None:
    """A call of a customer that changes something has ended; `outcome` is `ok` or AWS's error code."""
    everywhere = service in _GLOBAL
    with emulator.in_region(_GLOBAL_REGION if everywhere else region):
        groups = [
            str(trail["CloudWatchLogsLogGroupArn"]).split(":log-group:")[1].removesuffix(":*")
            for trail in emulator.store("cloudtrail", "_trails").values()
            if trail.get("IsLogging")
            and trail.get("CloudWatchLogsLogGroupArn")
            and (trail.get("IncludeGlobalServiceEvents", True) or not everywhere)
        ]
        if groups and _is_management(service, action):
            event = json.dumps(_event(service, action, body, outcome))
            for group in groups:
                _write(group, event)


def _is_management(service: str, action: str) -> bool:
    if action in _DATA:
        return False
    return service not in _DATA_PLANES or action in _NOT_OF_A_DATA_PLANE


def _write(group: str, event: str) -> None:
    record = emulator.store("cloudwatch_logs", "_log_groups").get(group)
    if record is None:
        return
    names = {"logGroupName": group, "logStreamName": f"{emulator.account()}_CloudTrail_{emulator.region()}"}
    if names["logStreamName"] not in record["streams"]:
        emulator.call("cloudwatch_logs", "Logs_20140328.CreateLogStream", names)
    events = [{"timestamp": int(time.time() * 1000), "message": event}]
    emulator.call("cloudwatch_logs", "Logs_20140328.PutLogEvents", {**names, "logEvents": events})


def _event(service: str, action: str, body: bytes, outcome: str) -> Mapping[str, Json]:
    arn = emulator.caller()
    event: dict[str, Json] = {
        "eventVersion": "1.09",
        "userIdentity": {"type": _kind(arn), "arn": arn, "accountId": emulator.account()},
        "eventTime": iso(time.time()),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": action,
        "awsRegion": emulator.region(),
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": _parameters(body),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": emulator.account(),
    }
    if outcome != "ok":
        event["errorCode"] = outcome
    return event


def _kind(arn: str) -> str:
    if arn.endswith(":root"):
        return "Root"
    return "AssumedRole" if ":assumed-role/" in arn else "IAMUser"


def _parameters(body: bytes) -> Json:
    if not body or len(body) > MOST_BYTES:
        return None
    try:
        data = json.loads(body) if body.startswith(b"{") else answers.unflatten(dict(parse_qsl(body.decode())))
    except (ValueError, AttributeError):
        return None
    return _shown({name: value for name, value in data.items() if name not in ("Action", "Version")})


def _shown(value: Json) -> Json:
    """As CloudTrail writes parameters: names begin small, and secrets are not there."""
    if isinstance(value, Mapping):
        return {
            name[:1].lower() + name[1:]: "HIDDEN_DUE_TO_SECURITY_REASONS"
            if any(part in name.lower() for part in _HIDDEN)
            else _shown(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
