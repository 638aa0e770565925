"""The log of calls: every request to an AWS API with service, region, action, outcome and duration, as they end.

Operations quote it in their reports, and a drill counts from it what a failover needed. It hangs on botocore's own
events, so a call that is retried appears once for each attempt that was sent.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request, as it ended."""

    at: float
    """Seconds since the epoch at which it was sent."""
    service: str
    region: str
    action: str
    outcome: str
    """`ok`, an AWS error code such as `Throttling`, or the name of what kept it from being answered."""
    seconds: float


class CallLog:
    """Collects calls from any number of clients and threads; appends each to a file of JSON lines, if given one."""

    def __init__(
        self, file: Path | None = None, *, clock: Callable[[], float] = time.time, most: int | None = None
    ) -> None:
        """`most`: how many calls to remember, the newest; None: all."""
        self.file = file
        self._clock = clock
        self._calls: deque[Call] = deque(maxlen=most)
        self._lock = threading.Lock()

    @property
    def calls(self) -> tuple[Call, ...]:
        """Everything that has ended so far."""
        with self._lock:
            return tuple(self._calls)

    def watch(self, client: Any) -> None:
        """Log what this boto3 client does from now on."""
        model = client.meta.service_model.service_name
        region = client.meta.region_name
        sent: dict[int, tuple[float, str]] = {}
        """By thread: a client may be used by several threads, each of which waits for its own call."""

        def before_send(request: Any, **event: Any) -> None:
            del request
            action = event["event_name"].rpartition(".")[2]
            sent[threading.get_ident()] = (self._clock(), action)

        def after(outcome: str) -> None:
            started, action = sent.pop(threading.get_ident(), (self._clock(), "unknown"))
            self._record(Call(started, model, region, action, outcome, self._clock() - started))

        def response_received(parsed_response: Any = None, exception: Any = None, **_: Any) -> None:
            if exception is not None:
                after(type(exception).__name__)
            else:
                error = (parsed_response or {}).get("Error") or {}
                after(str(error.get("Code") or "ok"))

        client.meta.events.register("before-send", before_send)
        client.meta.events.register("response-received", response_received)

    def _record(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)
            if self.file is not None:
                with self.file.open("a") as stream:
                    stream.write(json.dumps(asdict(call)) + "\n")
