"""Session Manager: sessions are begun, seen and ended. What is typed in them goes past the API, by the data channel.

Who may open one, to which instance, and that it is ended with the access, is decided here; the automation room listens
at the other end, and asks here whose channel it is, and when it is over.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import events, ssm, ssm_commands
from bicoastal.twin.cloud.handlers.ssm_automation import page
from bicoastal.twin.cloud.registry import ServiceError, Unchanged
from bicoastal.twin.cloud.rights import Check, Request

Json = Any
Record = dict[str, Json]
_DEFAULT_DOCUMENT = "SSM-SessionManagerRunShell"
_HOLDER = "aws:ssmmessages:session-id"
"""The tag by which a policy lets people end their own sessions alone."""


def _start(request: Mapping[str, Json]) -> Mapping[str, Json]:
    target, name = request["Target"], request.get("DocumentName") or _DEFAULT_DOCUMENT
    if target not in ssm_commands.managed():
        raise ServiceError("TargetNotConnected", f"{target} is not connected.")
    known = ssm.DOCUMENTS.get(name.rpartition("document/")[2])
    if name != _DEFAULT_DOCUMENT and (known is None or known["DocumentType"] != "Session"):
        raise ServiceError("InvalidDocument", f"The document {name} does not exist, or is none of sessions.")
    caller = emulator.caller()
    id_ = f"{caller.rpartition('/')[2].rpartition(':')[2]}-{secrets.token_hex(9)[:17]}"
    token = secrets.token_urlsafe(30)
    SESSIONS[id_] = {
        "SessionId": id_,
        "Target": target,
        "Status": "Connected",
        "StartDate": time.time(),
        "DocumentName": name,
        "Owner": caller,
        "Reason": request.get("Reason", ""),
        "_UserId": _user_id(caller),
        "_Token": token,
        "_Log": _log_group(known),
    }
    events.call_seen("ssm", "StartSession", request)
    stream = f"{place() or _NOWHERE}{id_}?role=publish_subscribe"
    return {"SessionId": id_, "TokenValue": token, "StreamUrl": stream}


def _log_group(document: Json | None) -> str:
    """Where the document has sessions streamed; empty for nowhere."""
    if document is None:
        return ""
    kept = document["Versions"][document["DefaultVersion"]]
    inputs = ssm.parsed(kept["Content"], kept["Format"]).get("inputs") or {}
    streams = str(inputs.get("cloudWatchStreamingEnabled", True)).lower() == "true"
    return str(inputs.get("cloudWatchLogGroupName") or "") if streams else ""


def place() -> str:
    """Where the region's sessions are had; empty until the automation room has said."""
    return _PLACES.get(emulator.region(), "")


def _report_place(data: Mapping[str, Json]) -> Json:
    _PLACES[emulator.region()] = str(data["url"])
    return Unchanged({})


def _report(data: Mapping[str, Json]) -> Json:
    """The other end asks: for who begins, whether the token is the session's; later, whether it goes on."""
    record = SESSIONS.get(str(data["id"]))
    if record is None or ("token" in data and data["token"] != record["_Token"]):
        raise ServiceError("AccessDeniedException", "The token is not that of a session.")
    if "token" in data and record["Status"] != "Connected":
        raise ServiceError("AccessDeniedException", f"The session is {record['Status'].lower()}.")
    names = {"status": "Status", "target": "Target", "owner": "Owner", "log": "_Log"}
    return Unchanged({name: record[field] for name, field in names.items()})


def _terminate(request: Mapping[str, Json]) -> Mapping[str, Json]:
    record = SESSIONS.get(request["SessionId"])
    if record is None:
        raise ServiceError("DoesNotExistException", f"The session {request['SessionId']} does not exist.")
    if record["Status"] != "Terminated":
        record.update(Status="Terminated", EndDate=time.time())
        events.call_seen("ssm", "TerminateSession", request)
    return {"SessionId": record["SessionId"]}


def _describe(request: Mapping[str, Json]) -> Mapping[str, Json]:
    active = request["State"] == "Active"
    running = ssm_commands.managed()
    for record in SESSIONS.values():
        if record["Status"] != "Terminated" and record["Target"] not in running:
            record.update(Status="Terminated", EndDate=time.time())
    found = [record for record in SESSIONS.values() if (record["Status"] != "Terminated") == active]
    names = {"Target": "Target", "Owner": "Owner", "SessionId": "SessionId", "Status": "Status"}
    for condition in request.get("Filters") or ():
        if condition["key"] not in names:
            raise ServiceError("InvalidFilterKey", f"The filter {condition['key']} is unknown here.")
        found = [record for record in found if record[names[condition["key"]]] == condition["value"]]
    public = [{name: value for name, value in record.items() if not name.startswith("_")} for record in found]
    return page(request, "Sessions", public, 20)


def _may_start(request: Request) -> Sequence[Check]:
    name = str(request.data.get("DocumentName") or _DEFAULT_DOCUMENT).rpartition("document/")[2]
    checked = {"ssm:SessionDocumentAccessCheck": "true"}
    target = ssm_commands.instance(request, str(request.data.get("Target", "")))
    return [
        Check(target.resource, {**target.keys, **checked}),
        Check(request.arn("ssm", f"document/{name}"), checked),
    ]


def _may_end(request: Request) -> Sequence[Check]:
    id_ = str(request.data.get("SessionId", ""))
    record = SESSIONS.get(id_)
    # The tag holds the role's id and the session's name, which a policy compares with ${aws:userid}. ministack fills in
    # no variables: of the caller's own session the tag is the variable.
    own = record is not None and record["Owner"] == emulator.caller()
    keys = {f"ssm:resourceTag/{_HOLDER}": "${aws:userid}" if own else record["_UserId"]} if record else {}
    return [Check(request.arn("ssm", f"session/{id_}"), keys)]


def _user_id(arn: str) -> str:
    """What `${aws:userid}` is for a caller."""
    for session in emulator.store("sts", "_sessions").values():
        if session.get("Arn") == arn:
            return str(session.get("UserId", ""))
    return emulator.account()


SESSIONS = emulator.new_table("ssm_sessions")
_PLACES: dict[str, str] = {}
_NOWHERE = "ws://session.invalid/v1/data-channel/"
REPORTS = {"ssm.sessions": _report_place, "ssm.session": _report}
RIGHTS = {"ssm:StartSession": _may_start, "ssm:TerminateSession": _may_end}
ACTIONS = {"StartSession": _start, "TerminateSession": _terminate, "DescribeSessions": _describe}
