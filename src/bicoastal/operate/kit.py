"""The kit's verbs, run on an instance by Systems Manager: each is a document of the deployment's own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate.sight import Kit
from bicoastal.operate.subject import Subject

STATUS_S = 20.0
VERB_S = 90.0
_LOOK_S = 0.04
"""Between the first looks for an answer: a switchover's writers wait for three of them."""
UNREACHABLE = "unreachable"
"""The role of a database that the kit does not reach."""
_DONE = frozenset({"Success", "Failed", "TimedOut", "Cancelled", "Undeliverable", "Terminated"})


def ask(session: Session, subject: Subject, region: str, instances: tuple[str, ...]) -> Kit:
    """What the kit knows, from the first instance that answers and reaches its database, else from one that answers.

    Raises SystemFault with why none did.
    """
    found: Kit | None = None
    for instance in instances:
        asked = time.time()
        try:
            said = run_verb(session, subject, region, (instance,), "status", within_s=STATUS_S)
        except SystemFault:
            if found is None and instance == instances[-1]:
                raise
            continue
        # Midway: the command was delivered after it was asked for, and its answer read after it was given.
        found = read(said, (asked + time.time()) / 2)
        if found.role != UNREACHABLE:
            return found
    if found is None:
        raise SystemFault(f"kit status in {region}: no instance is in service there.")
    return found


def run_verb(
    session: Session,
    subject: Subject,
    region: str,
    instances: tuple[str, ...],
    verb: str,
    *,
    parameters: Mapping[str, str] | None = None,
    within_s: float = VERB_S,
) -> Mapping[str, Any]:
    """Run a verb on one instance after the other until one can be reached; returns the JSON object that it printed.

    Raises Refused where the kit says no, SystemFault where it fails, or no instance could be reached.
    """
    if not instances:
        raise SystemFault(f"kit {verb} in {region}: no instance is in service there.")
    unreachable: list[str] = []
    for instance in instances:
        try:
            return _run_on(session, subject, region, instance, verb, within_s, parameters or {})
        except _Unreachable as fault:
            unreachable.append(f"{instance}: {fault}")
    raise SystemFault(f"kit {verb} in {region}: no instance could be asked ({'; '.join(unreachable)}).")


class _Unreachable(Exception):  # noqa: N818 - never leaves this module
    """Systems Manager could not reach the instance, or its answer did not come."""


def _run_on(  # noqa: PLR0917 - all of them say where and what
    session: Session,
    subject: Subject,
    region: str,
    instance: str,
    verb: str,
    within_s: float,
    parameters: Mapping[str, str],
) -> Mapping[str, Any]:
    client = session.client("ssm", region)
    doing = f"running the kit's {verb} on {instance} in {region}"
    try:
        with aws_faults(doing):
            command = client.send_command(
                DocumentName=subject.document(f"kit-{verb}"),
                InstanceIds=[instance],
                Parameters={name: [value] for name, value in parameters.items()},
            )["Command"]["CommandId"]
    except ApiFault as fault:
        if fault.code == "InvalidInstanceId":
            raise _Unreachable("it is not managed, or not running") from fault
        raise
    answer = _follow(client, command, instance, doing, within_s)
    if answer["Status"] in ("Undeliverable", "TimedOut", "Terminated") or answer.get("ResponseCode") == -1:
        raise _Unreachable(str(answer.get("StatusDetails") or answer["Status"]))
    if answer["Status"] != "Success":
        said = str(answer.get("StandardErrorContent", "")).strip().splitlines()
        text = f"kit {verb} on {instance}: {said[-1] if said else answer['Status']}"
        raise Refused(text) if answer.get("ResponseCode") == 1 else SystemFault(text)
    return _json(answer.get("StandardOutputContent", ""), doing)


def _follow(client: Any, command: str, instance: str, doing: str, within_s: float) -> Mapping[str, Any]:
    try:
        for _ in Waiter(within_s, doing, first_s=_LOOK_S):
            try:
                with aws_faults(doing):
                    answer: Mapping[str, Any] = client.get_command_invocation(CommandId=command, InstanceId=instance)
            except ApiFault as fault:
                if fault.code == "InvocationDoesNotExist":
                    continue
                raise
            if answer["Status"] in _DONE:
                return answer
    except ApiFault:
        raise
    except SystemFault as fault:
        raise _Unreachable(f"no answer within {within_s:.0f} s") from fault
    raise AssertionError("a waiter ends by its deadline")


def _json(text: str, doing: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise SystemFault(f"{doing}: its answer is not JSON: {text[:200]!r}") from error
    if not isinstance(data, dict):
        raise SystemFault(f"{doing}: its answer is no object: {text[:200]!r}")
    return data


def read(said: Mapping[str, Any], at: float) -> Kit:
    """The kit's `status` as an observation; what it does not know stays None."""
    database = said.get("database") or {}
    fence = database.get("fence") or {}
    reading = database.get("reading") or {}
    receiver = database.get("receiver") or {}
    witness = said.get("witness") or {}
    intervals = said.get("intervals") or {}
    return Kit(
        instance=str((said.get("instance") or {}).get("id", "")),
        role=str(database.get("role", "unreachable")),
        epoch=database.get("epoch"),
        fence=fence.get("reason"),
        fenced=bool(fence.get("done", False)),
        heartbeat_age_s=database.get("heartbeat_age_s"),
        reading=reading.get("sessions"),
        receiver=receiver.get("status"),
        last_contact_s=receiver.get("last_contact_s"),
        received_lsn=receiver.get("received_lsn"),
        replayed_lsn=receiver.get("replayed_lsn"),
        unreplayed_bytes=receiver.get("unreplayed_bytes"),
        witness_epoch=witness.get("epoch"),
        isolation_s=float(intervals.get("isolation", 15.0)),
        second_s=float(intervals.get("tick", 1.0)),
        fence_epoch=fence.get("epoch"),
        written_lsn=database.get("written_lsn"),
        snapshot=database.get("snapshot"),
        follower=_followed(database),
        stranded=_stranded(database),
        at=at,
    )


def _followed(database: Mapping[str, Any]) -> bool | None:
    if database.get("role") != "primary" or database.get("slots") is None:
        return None
    return any(slot.get("other_region") and slot.get("state") == "streaming" for slot in database["slots"])


def _stranded(database: Mapping[str, Any]) -> bool | None:
    """A slot of an earlier generation stays as it is: it takes one that may still be fetched to say no."""
    if database.get("role") != "primary" or database.get("slots") is None:
        return None
    states = [slot.get("wal_status") for slot in database["slots"] if slot.get("other_region")]
    return bool(states) and all(state == "lost" for state in states)
