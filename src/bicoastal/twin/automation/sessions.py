"""Session Manager's sessions: what a responder types runs on the instance, and goes to the session's log.

The API says who may begin one and when it is over; here is the agent's end of its data channel. It is no terminal: each
line is a script of its own, run as commands are. Both lines and answers are streamed to the log group that the session
document names, with the instance's own rights; a session that cannot be logged is not let in.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from wsproto import ConnectionType
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import BicoastalError, SystemFault
from bicoastal.twin.automation.channel import (
    HANDSHAKE_COMPLETE,
    HANDSHAKE_REQUEST,
    HANDSHAKE_RESPONSE,
    OUTPUT,
    PROMPT,
    TEXT,
    Stream,
    WebSocket,
)
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import FindHost, Host

Json = Any
PATH = "/v1/data-channel/"
_LINE_S = 300.0
"""A line may take so long: there is no way to interrupt it but the session's end."""
_OPEN_S = 10.0
_LOOK_S = 0.3
"""So soon is an end of the session seen, which the API tells."""
_LINGER_S = 2.0
_REFUSED = 1008
_AGENT = "3.3.0.0"


class Door:
    """Where the sessions of a region are had."""

    def __init__(self, ground: Ground, find_host: FindHost, region: str) -> None:
        """Listen. Raises SystemFault."""
        self._ground = ground
        self._find_host = find_host
        self._region = region
        try:
            self._listener = socket.create_server(("127.0.0.1", 0))
        except OSError as error:
            raise SystemFault(f"sessions of {region}: no port can be had: {error}") from error
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}{PATH}"
        self._closing = threading.Event()
        threading.Thread(target=self._accept, name=f"sessions {region}", daemon=True).start()

    def close(self) -> None:
        """Nobody gets in any more, and who is in is put out."""
        self._closing.set()
        # Wakes the thread that accepts, which a close alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                door, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(door,), name=f"session {self._region}", daemon=True).start()

    def _serve(self, door: socket.socket) -> None:
        web = WebSocket(door, ConnectionType.SERVER)
        with contextlib.suppress(SystemFault):  # the one who typed has hung up
            try:
                begun = self._begin(web)
                if begun is not None:
                    begun.run(Stream(web, OUTPUT))
            finally:
                web.close(_LINGER_S)

    def _begin(self, web: WebSocket) -> Talk | None:
        asked = web.receive(_OPEN_S)
        if not isinstance(asked, Request):
            return None
        web.send(AcceptConnection())
        opening = web.receive(_OPEN_S)
        id_ = asked.target.partition("?")[0].removeprefix(PATH)
        try:
            token = str(json.loads(opening.data)["TokenValue"]) if isinstance(opening, TextMessage) else ""
            session = self._ground.api.report("ssm.session", self._region, id=id_, token=token)
            host = self._find_host(self._region, str(session["target"]))
            if host is None:
                raise SystemFault(f"{session['target']} does not answer")
        except (BicoastalError, ValueError, KeyError) as error:
            web.send(CloseConnection(_REFUSED, str(error)[:100]))
            return None
        return Talk(id_, session, host, partial(self._over, id_, host))

    def _over(self, id_: str, host: Host) -> str | None:
        """Why a session is over; None while it goes on."""
        if self._closing.is_set():
            return "the twin ends"
        if self._find_host(self._region, host.id) is None:
            return "the instance is gone"
        try:
            status = str(self._ground.api.report("ssm.session", self._region, id=id_)["status"])
        except SystemFault as error:
            return str(error)
        return None if status == "Connected" else f"the session was {status.lower()}"


class Talk:
    """One session: lines come, answers go."""

    def __init__(self, id_: str, session: Mapping[str, Json], host: Host, over: Callable[[], str | None]) -> None:
        """`session` is what the API says of it: its log group, and whose it is."""
        self._id = id_
        self._session = session
        self._host = host
        self._over = over

    def run(self, stream: Stream) -> None:
        """Until it is over. Raises SystemFault when the other end hangs up."""
        try:
            self._log("the session begins")
        except BicoastalError as error:
            stream.end(f"the session cannot be logged: {str(error).splitlines()[0]}")
            return
        kind = {"SessionType": "Standard_Stream", "Properties": {}}
        action = {"ActionType": "SessionType", "ActionParameters": kind}
        stream.tell(HANDSHAKE_REQUEST, {"AgentVersion": _AGENT, "RequestedClientActions": [action]})
        typed = b""
        while (why := self._over()) is None:
            message = stream.hear(_LOOK_S)
            if message is None:
                continue
            if message.payload_type == HANDSHAKE_RESPONSE:
                stream.tell(HANDSHAKE_COMPLETE, {"HandshakeTimeToComplete": 0, "CustomerMessage": ""})
                stream.say(PROMPT.encode())
            if message.payload_type != TEXT:
                continue
            *lines, typed = (typed + message.payload.replace(b"\r", b"\n")).split(b"\n")
            for line in lines:
                if line.strip() and self._over() is None:
                    self._answer(stream, line.decode(errors="replace"))
                stream.say(PROMPT.encode())
        stream.end(why)

    def _answer(self, stream: Stream, line: str) -> None:
        try:
            said = self._host.shell(line, _LINE_S)
            text = said.output + said.errors
        except BicoastalError as error:
            text = f"{error}\n"
        self._log(f"$ {line}\n{text}")
        stream.say(text.encode())

    def _log(self, text: str) -> None:
        """As the agent streams it, with the rights of the instance's profile. Raises SystemFault."""
        group = str(self._session["log"])
        if not group:
            return
        event = {
            "eventVersion": "1.0",
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "awsRegion": self._host.region,
            "target": {"id": self._host.id},
            "userIdentity": {"arn": self._session["owner"]},
            "sessionId": self._id,
            "sessionData": text.splitlines(),
        }
        logs = self._host.session().client("logs", self._host.region)
        where = {"logGroupName": group, "logStreamName": self._id}
        with aws_faults(f"logging the session {self._id}"):
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_stream(**where)
            events = [{"timestamp": int(time.time() * 1000), "message": json.dumps(event)}]
            logs.put_log_events(**where, logEvents=events)
