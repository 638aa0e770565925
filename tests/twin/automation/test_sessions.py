"""Session Manager's data channel: lines run on the instance, until the session is ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.automation.channel import INPUT, TEXT, Client, Message, decode
from tests.support.cloudformation import until
from tests.twin.automation.conftest import HOME, STANDBY, Room, room_with

TYPED_IN_ANOTHER_CLIENT = bytes.fromhex(
    "00000074000000000000000000000000000000696e7075745f73747265616d5f6461746100000001000001a2160395d30000000000000001"
    "0000000000000000aae64523c5a0da5343982012687547313532326533336565356134326235366437346262383834633731313833366463"
    "000000010000000369640d"
)
"""What the npm package `ssm-session` 1.0.6 sends for `id` and Return."""


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    with room_with() as (made, _):
        yield made


def started(room: Room, instance: str, log: str = "", region: str = HOME) -> Any:
    """A session by a document of its own."""
    ssm, name = room.client("ssm", region), f"sessions-{log or 'unlogged'}"
    content = {"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": {"cloudWatchLogGroupName": log}}
    if name not in [item["Name"] for item in ssm.list_documents()["DocumentIdentifiers"]]:
        ssm.create_document(Name=name, DocumentType="Session", Content=json.dumps(content))
    for _ in until("sessions can be had"):
        session = ssm.start_session(Target=instance, DocumentName=name)
        if "127.0.0.1" in session["StreamUrl"]:
            return session
    raise AssertionError


def test_a_message_is_read_as_it_was_written() -> None:
    message = Message(INPUT, "caf\u00e9\n".encode(), 1, 7)
    assert decode(message.encode()) == message
    other = decode(TYPED_IN_ANOTHER_CLIENT)
    assert (other.kind, other.payload_type, other.sequence, other.payload) == (INPUT, TEXT, 1, b"id\r")
    with pytest.raises(SystemFault, match="its head alone has 116"):
        decode(b"short")


def test_lines_run_on_the_instance_until_the_session_is_terminated(room: Room) -> None:
    instance = room.launch()
    session = started(room, instance)
    with Client(session["StreamUrl"], session["TokenValue"]) as client:
        assert client.run("echo left > note; cat note; false") == (1, "left\n")
        assert (room.hosts[HOME, instance].root / "note").read_text() == "left\n"
        assert client.run("no-such-program")[0] == 127
        room.client("ssm").terminate_session(SessionId=session["SessionId"])
        assert client.await_end(20) == "the session is over: the session was terminated"
    with pytest.raises(SystemFault, match="session is terminated"):
        Client(session["StreamUrl"], session["TokenValue"])


def test_an_instance_that_is_gone_has_no_session(room: Room) -> None:
    instance = room.launch()
    session = started(room, instance)
    with Client(session["StreamUrl"], session["TokenValue"]) as client:
        del room.hosts[HOME, instance]
        assert "the instance is gone" in client.await_end(20)


def test_nobody_is_let_in_without_the_token_or_the_log(room: Room) -> None:
    instance = room.launch()
    session = started(room, instance)
    with pytest.raises(SystemFault, match="token is not that of a session"):
        Client(session["StreamUrl"], "another")
    elsewhere = started(room, room.launch(STANDBY), region=STANDBY)["StreamUrl"].partition("/v1/")[0]
    with pytest.raises(SystemFault, match="token is not that of a session"):
        Client(f"{elsewhere}/v1/{session['StreamUrl'].partition('/v1/')[2]}", session["TokenValue"])
    # This host has no profile, whose rights could write the log.
    logged = started(room, instance, log="/sessions")
    with pytest.raises(SystemFault, match="the session cannot be logged: this host has no profile"):
        Client(logged["StreamUrl"], logged["TokenValue"])
