"""Lines of a file to a stream of a log group, as the CloudWatch agent and RDS ship them.

The group's and the stream's absence are found when events are put. A group that is absent is made, if its maker may:
without retention, unless one was asked for. Denied means no logs, and one line that says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.core.errors import SystemFault
from bicoastal.twin.metrics.tail import Tail

_MOST_EVENTS = 10_000
_MOST_BYTES = 1 << 20
_EVENT_BYTES = 26
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_ABSENT = "ResourceNotFoundException"
_THERE_ALREADY = "ResourceAlreadyExistsException"


class Shipment:
    """One file on its way to one stream. Not safe for threads."""

    def __init__(
        self,
        tail: Tail,
        client: Callable[[], Any],
        group: str,
        stream: str,
        *,
        retention_days: int = -1,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`client` gives that of CloudWatch Logs, or raises SystemFault; `say` takes what goes wrong, once."""
        self._tail = tail
        self._client = client
        self._group = group
        self._stream = stream
        self._retention_days = retention_days
        self._say = say
        self._pause_s = 0.0
        self._not_before = 0.0
        self._said = ""

    def ship(self, *, all_of_it: bool = False) -> None:
        """What has come since the last time, unless it was refused a moment ago."""
        if time.monotonic() < self._not_before and not all_of_it:
            return
        while lines := self._tail.lines(all_of_it=all_of_it):
            try:
                for events in _batches(lines, int(time.time() * 1000)):
                    self._put(events)
            except SystemFault as error:
                self._tail.again()
                self._failed(str(error).partition("\n")[0])
                return
            self._tail.done()
            self._pause_s, self._said = 0.0, ""

    def close(self) -> None:
        """Let the file go."""
        self._tail.close()

    def _failed(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._say(f"{self._group}/{self._stream}: {text}")
        self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        self._not_before = time.monotonic() + self._pause_s

    def _put(self, events: Sequence[Mapping[str, Any]]) -> None:
        client = self._client()
        for last in (False, True):
            try:
                with aws_faults("PutLogEvents"):
                    client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
            except ApiFault as error:
                if error.code != _ABSENT or last:
                    raise
                self._make_stream(client)
            else:
                return

    def _make_stream(self, client: Any) -> None:
        names = {"logGroupName": self._group, "logStreamName": self._stream}
        try:
            with aws_faults("CreateLogStream"):
                client.create_log_stream(**names)
        except ApiFault as error:
            if error.code == _THERE_ALREADY:
                return
            if error.code != _ABSENT:
                raise
            self._make_group(client)
            with aws_faults("CreateLogStream"):
                client.create_log_stream(**names)

    def _make_group(self, client: Any) -> None:
        try:
            with aws_faults("CreateLogGroup"):
                client.create_log_group(logGroupName=self._group)
        except ApiFault as error:
            if error.code != _THERE_ALREADY:
                raise
        if self._retention_days > 0:
            with aws_faults("PutRetentionPolicy"):
                client.put_retention_policy(logGroupName=self._group, retentionInDays=self._retention_days)


def _batches(lines: Sequence[str], now_ms: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    size = 0
    for line in lines:
        bytes_ = len(line.encode()) + _EVENT_BYTES
        if batch and (len(batch) >= _MOST_EVENTS or size + bytes_ > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append({"timestamp": now_ms, "message": line})
        size += bytes_
    if batch:
        yield batch
