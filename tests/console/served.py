"""A console that really serves, of a deployment that nobody answers for, and a hand that notes what it is asked."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from bicoastal.aws.calls import CallLog
from bicoastal.aws.session import Session
from bicoastal.console.feed import Feed
from bicoastal.console.guard import cookie_name
from bicoastal.console.key import HOST
from bicoastal.console.made import Deployment, TwinSide, console
from bicoastal.console.server import Console
from bicoastal.operate.subject import Subject
from bicoastal.operate.watch.watcher import Rhythm
from bicoastal.twin.faults import Act, Faults
from bicoastal.twin.interfaces import How
from bicoastal.twin.pace import FAST

EAST, WEST = "us-east-1", "us-west-2"
SUBJECT = Subject("orders", "production", "orders.example.com", EAST, WEST, "nearest", rpo_s=30.0)


@dataclass
class Taken:
    """Faults of a twin that has nothing to lose."""

    lost: dict[str, How] = field(default_factory=dict)
    lost_zones: tuple[tuple[str, str], ...] = ()
    partitions: dict[tuple[str, str], How] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def lose_region(self, region: str, how: How) -> Act:
        if region not in (EAST, WEST):
            raise ValueError(f"{region} is no region of this twin")
        self.asked.append(("lose", region, how))
        self.lost[region] = how
        return Act(f"{region} is lost ({how})", 0, 0)

    def recover_region(self, region: str) -> Act:
        self.asked.append(("recover", region))
        self.lost.pop(region, None)
        return Act(f"{region} is there again", 0, 0)


@dataclass(frozen=True)
class Answer:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def error(self) -> str:
        return str(json.loads(self.body)["error"])


@dataclass(frozen=True)
class Served:
    """What a test has of it."""

    console: Console
    feed: Feed
    taken: Taken
    folder: Path

    @property
    def host(self) -> str:
        return f"{HOST}:{self.console.key.port}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        """As the console's own page with its cookie does it; headers given here (None: left out) take their place."""
        given: dict[str, str | None] = {
            "host": self.host,
            "cookie": f"{cookie_name(self.console.key.port)}={self.console.key.token}",
            "origin": f"http://{self.host}" if method == "POST" else None,
            "content-type": "application/json" if method == "POST" else None,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        connection = http.client.HTTPConnection(HOST, self.console.key.port, timeout=20)
        try:
            sent = {name: value for name, value in given.items() if value is not None}
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            headers_ = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers_, answer.read().decode())
        finally:
            connection.close()

    def messages(self, until: str, **headers: str) -> list[str]:
        """What the stream says from its beginning up to a message that holds a text."""
        connection = http.client.HTTPConnection(HOST, self.console.key.port, timeout=20)
        try:
            cookie = f"{cookie_name(self.console.key.port)}={self.console.key.token}"
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", "/api/feed", headers={"cookie": cookie, **sent})
            answer = connection.getresponse()
            assert answer.status == 200
            found: list[str] = []
            for raw in answer:
                line = raw.decode().rstrip("\n")
                found.append(line)
                if until in line:
                    return found
            raise AssertionError(f"the stream ended without {until!r}: {found}")
        finally:
            connection.close()


@contextlib.contextmanager
def served(folder: Path, *, twin: bool = True) -> Iterator[Served]:
    """One that keeps its key in a folder; nobody answers at the address of its AWS API."""
    taken = Taken()
    session = Session.at("http://127.0.0.1:9", "key", "secret", log=CallLog(most=0), attempts=1)
    spec = folder / "bicoastal.yaml"
    spec.touch()
    side = TwinSide(FAST, cast(Faults, taken), lambda _: {}, {}, 0.065) if twin else None
    made = console(
        Deployment(SUBJECT, spec, session, {}, folder / "state"), Rhythm(), keep=folder / "console.json",
        reports=folder / "reports", twin=side,
    )  # fmt: skip
    # What is looked at is tested elsewhere.
    made.feed.attend(lambda: None, lambda: None)
    with made:
        yield Served(made, made.feed, taken, folder)
