"""A twin with balancers alone: load balancers made by the API, and small servers where instances would be."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.api import Watcher
from bicoastal.twin.balancers.controller import Balancers
from bicoastal.twin.controller import Loop
from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.interfaces import Admits, admits_everything, balancer_name, instance_name
from bicoastal.twin.pace import FAST, Pace
from tests.twin.conftest import REGIONS

HOME = "us-east-1"
_numbers = count(1)
DEADLINE_S = 20.0


def until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Look until it is so, and return what was found."""
    end = time.monotonic() + deadline_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not in {deadline_s} s: {what}"
        time.sleep(0.01)


def _nothing(*_: object) -> None:
    pass


class Server:
    """A program on an instance, that answers with its name and what it was asked."""

    def __init__(self, address: str, port: int, name: str, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.port = port
        self.health = 200
        self.delay_s = 0.0
        self.seen: list[dict[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                checked = self.headers.get("User-Agent") == "ELB-HealthChecker/2.0"
                code = outer.health if checked else int(self.path.partition("?status=")[2] or 200)
                if not checked:
                    outer.seen.append({name.lower(): value for name, value in self.headers.items()})
                    time.sleep(outer.delay_s)
                body = outer.name.encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the library's name

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        def listening() -> http.server.ThreadingHTTPServer | None:
            # A child that is just being started holds a copy of the socket of a server that was closed before.
            with contextlib.suppress(OSError):
                return http.server.ThreadingHTTPServer((address, port), Handler)
            return None

        self._server: http.server.ThreadingHTTPServer = until(listening, f"{address}:{port} is free", 60)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        # A client that goes before it has its answer is none.
        self._server.handle_error = _nothing
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Answer:
    """What a client got."""

    status: int
    body: str
    headers: dict[str, str]


@dataclass
class Bench:
    """What a test works on."""

    ground: Ground
    balancers: Balancers
    loop: Loop[Any, Any]
    servers: list[Server] = field(default_factory=list)

    @property
    def elb(self) -> Any:
        return self.ground.api.client("elbv2", HOME)

    def balancer(self, **more: Any) -> str:
        made = self.elb.create_load_balancer(Name=f"web-{next(_numbers)}", **more)["LoadBalancers"][0]
        return str(made["LoadBalancerArn"])

    def group(self, name: str, *ids: str, port: int = 8080, **more: Any) -> str:
        """A target group that checks quickly, with these targets."""
        checks = {
            "HealthCheckPath": "/healthz",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 4,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
        }
        name = f"{name}-{next(_numbers)}"
        made = self.elb.create_target_group(
            Name=name, Port=port, VpcId="vpc-1", **{"Protocol": "HTTP", **checks, **more}
        )
        arn = str(made["TargetGroups"][0]["TargetGroupArn"])
        if ids:
            self.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": id_} for id_ in ids])
        return arn

    def listener(self, balancer: str, *actions: dict[str, Any], port: int = 80, **more: Any) -> str:
        made = self.elb.create_listener(
            LoadBalancerArn=balancer, Port=port, DefaultActions=list(actions), **{"Protocol": "HTTP", **more}
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def server(self, id_: str, port: int = 8080, region: str = HOME, tls: ssl.SSLContext | None = None) -> Server:
        """A program on an instance, in the place of the one that an earlier test started."""
        for other in [item for item in self.servers if (item.name, item.port) == (id_, port)]:
            other.stop()
            self.servers.remove(other)
        server = Server(self.ground.addresses.of(instance_name(region, id_)), port, id_, tls)
        self.servers.append(server)
        return server

    def stop(self) -> None:
        """End the servers."""
        for server in self.servers:
            server.stop()

    def address(self, balancer: str, region: str = HOME) -> str:
        return self.ground.addresses.of(balancer_name(region, balancer))

    def ask(
        self,
        balancer: str,
        path: str = "/",
        *,
        port: int = 80,
        method: str = "GET",
        tls: ssl.SSLContext | None = None,
        source: str = "",
        region: str = HOME,
        timeout_s: float = DEADLINE_S,
        **headers: str,
    ) -> Answer:
        """One request on a connection of its own. Raises OSError where there is none."""
        where = (self.address(balancer, region), reachable_port(port))
        here = (source, 0) if source else None
        connection = (
            http.client.HTTPSConnection(*where, timeout=timeout_s, context=tls, source_address=here)
            if tls
            else http.client.HTTPConnection(*where, timeout=timeout_s, source_address=here)
        )
        try:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, answer.read().decode(), found)
        finally:
            connection.close()

    def answers(self, balancer: str, **how: Any) -> Answer:
        """The first answer, however long it takes until there is one."""

        def answer() -> Answer | None:
            try:
                return self.ask(balancer, **how)
            except OSError:
                return None

        found: Answer = until(answer, f"{balancer} answers")
        return found

    def health(self, group: str) -> dict[str, tuple[str, str]]:
        """Target to state and reason."""
        found = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {
            item["Target"]["Id"]: (item["TargetHealth"]["State"], item["TargetHealth"].get("Reason", ""))
            for item in found
        }

    def until_health(self, group: str, **wanted: str) -> dict[str, tuple[str, str]]:
        """Wait until targets (`i_1="healthy"`) are in these states."""
        states = {name.replace("_", "-"): state for name, state in wanted.items()}

        def so() -> Any:
            found = self.health(group)
            return found if {id_: state for id_, (state, _) in found.items()} == states else None

        found: dict[str, tuple[str, str]] = until(so, f"targets are {states}, and not {self.health(group)}")
        return found


Benches = Callable[..., Bench]


def fixed(text: str, status: int = 200) -> dict[str, Any]:
    """An action."""
    config = {"StatusCode": str(status), "ContentType": "text/plain", "MessageBody": text}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def forward(*groups: str) -> dict[str, Any]:
    """An action; several groups share by weight 1."""
    return {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": arn, "Weight": 1} for arn in groups]},
    }


def start(stack: ExitStack, pace: Pace, admits: Admits, folder: Path | None = None) -> Bench:
    """A bench that ends with the stack; a `folder` stays."""
    root = folder or Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    if folder is None:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
    made = stack.enter_context(ground(root, ("balancers",), REGIONS, pace))
    balancers = Balancers(made, admits=admits)
    loop = Loop(balancers, 0.5)
    bench = Bench(made, balancers, loop)
    watcher = Watcher(made.api, loop.poke)
    stack.callback(bench.stop)
    stack.callback(loop.stop)
    stack.callback(watcher.stop)
    loop.start()
    watcher.start()
    return bench


@pytest.fixture
def benches() -> Iterator[Benches]:
    """Makes benches: `benches(pace=REAL, admits=...)`; a `folder` stays."""
    with ExitStack() as stack:

        def make(pace: Pace = FAST, admits: Admits = admits_everything, folder: Path | None = None) -> Bench:
            return start(stack, pace, admits, folder)

        yield make


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """At the fast pace, with everything admitted; a module's tests have load balancers and instances of their own."""
    with ExitStack() as stack:
        yield start(stack, FAST, admits_everything)
