"""An instance for tests: its files, its metadata service, its DNS, its StatsD listener, and an `aws` command.

The kit runs on it as a process of its own, by its real command line; nothing in it is replaced. Only what is outside
is stood in for, each by its real protocol.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from dnslib import QTYPE, RCODE, RR, TXT, DNSRecord

from bicoastal.kit.config import Config, parse
from tests.support.postgres import DATABASE, MASTER, MASTER_PASSWORD, Postgres, free_port, wait_until

FAST: Mapping[str, float] = {
    "tick": 0.1,
    "witness": 0.2,
    "isolation": 2.0,
    "lift": 1.0,
    "database_timeout": 1.0,
    "health": 0.1,
}
"""One tenth and less of the real intervals."""
PASSWORDS = {MASTER: MASTER_PASSWORD, **{name: f"{name}-password-of-tests" for name in ("owner", "app", "kit")}}
WITNESS_NAME = "witness.orders.example.com"

_AWS = """\
#!/bin/sh
# The three calls that the kit makes, answered from the folder AWS_STAND_IN.
echo "$*" >> "$AWS_STAND_IN/calls"
case "$1 $2" in
"secretsmanager get-secret-value") exec cat "$AWS_STAND_IN/secrets/$4" ;;
"s3 cp") exec cp "$AWS_STAND_IN/buckets/${4#s3://}" "$5" ;;
"cloudformation signal-resource")
    [ ! -e "$AWS_STAND_IN/settled" ] && exit 0
    echo "An error occurred (ValidationError) when calling the SignalResource operation:" \
        "Stack:arn:aws:cloudformation:... is in UPDATE_COMPLETE state and cannot be signaled" >&2
    exit 254 ;;
esac
echo "unknown call: $*" >&2
exit 2
"""


class Aws:
    """The `aws` command, and what it knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        (folder / "secrets").mkdir()
        program = folder / "bin" / "aws"
        program.write_text(_AWS)
        program.chmod(0o755)
        for name, password in PASSWORDS.items():
            self.set_credential(name, password)

    @property
    def environment(self) -> dict[str, str]:
        """How a process finds it."""
        return {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AWS_STAND_IN": str(self.folder),
        }

    @property
    def calls(self) -> list[str]:
        """The command lines so far."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def set_secret(self, arn: str, value: str) -> None:
        """Store a secret's text."""
        (self.folder / "secrets" / arn).write_text(json.dumps({"ARN": arn, "SecretString": value}))

    def set_credential(self, name: str, password: str) -> None:
        """Store a database secret; its ARN is the name."""
        self.set_secret(name, json.dumps({"username": name, "password": password}))

    def settle_stack(self) -> None:
        """From now on no operation runs on the stack, and CloudFormation takes no signal."""
        (self.folder / "settled").touch()

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Store an object."""
        path = self.folder / "buckets" / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class WitnessServer:
    """A DNS server for one TXT record."""

    def __init__(self) -> None:
        self._door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._door.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._door.getsockname()[1]}"
        self.texts: tuple[str, ...] | None = None
        """What it says; None is silence, empty is a name that does not exist."""
        self.asked = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def say(self, epoch: int, region: str = "us-east-1") -> None:
        """Name who may write."""
        self.texts = (f"epoch={epoch} region={region}",)

    def be_silent(self) -> None:
        """Answer nothing, as when the network is cut."""
        self.texts = None

    def close(self) -> None:
        """End it."""
        self._door.close()

    def _serve(self) -> None:
        while True:
            try:
                packet, client = self._door.recvfrom(4096)
            except OSError:
                return
            self.asked += 1
            if self.texts is None:
                continue
            reply = DNSRecord.parse(packet).reply()
            if not self.texts:
                reply.header.rcode = RCODE.NXDOMAIN
            for text in self.texts:
                reply.add_answer(RR(reply.q.qname, QTYPE.TXT, ttl=10, rdata=TXT(text)))
            with contextlib.suppress(OSError):
                self._door.sendto(reply.pack(), client)


class StatsD:
    """Listens where the CloudWatch agent would."""

    def __init__(self) -> None:
        self._door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._door.bind(("127.0.0.1", 0))
        self._door.setblocking(False)
        self.port: int = self._door.getsockname()[1]

    def drain(self) -> None:
        """Forget what has come."""
        self.received()

    def received(self) -> dict[str, list[float]]:
        """What has come since the last time, by metric."""
        seen: dict[str, list[float]] = {}
        while True:
            try:
                name, _, rest = self._door.recv(512).decode().partition(":")
            except BlockingIOError:
                return seen
            seen.setdefault(name, []).append(float(rest.partition("|")[0]))

    def close(self) -> None:
        """Let the port go."""
        self._door.close()


class Metadata:
    """The instance metadata service, version 2 only."""

    def __init__(self, instance: str, zone: str) -> None:
        answers = {
            "/latest/meta-data/instance-id": instance,
            "/latest/meta-data/placement/availability-zone": zone,
        }

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                asked = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
                self._answer(200 if asked and self.path == "/latest/api/token" else 400, "a-token")

            def do_GET(self) -> None:
                if self.headers.get("X-aws-ec2-metadata-token") != "a-token":
                    self._answer(401, "")
                else:
                    self._answer(200 if self.path in answers else 404, answers.get(self.path, ""))

            def _answer(self, status: int, body: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class Instance:
    """One instance with its kit."""

    def __init__(self, folder: Path, server: Postgres, *, region: str = "us-east-1", **changes: Any) -> None:
        """`changes` replace keys of kit.json; a dictionary is merged."""
        other = {"us-east-1": "us-west-2", "us-west-2": "us-east-1"}[region]
        # systemd makes the second one for the unit.
        (folder / "state").mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.id = f"i-{folder.name}"
        self.aws = Aws(folder / "aws")
        self.witness = WitnessServer()
        self.statsd = StatsD()
        self.metadata = Metadata(self.id, f"{region}a")
        self.settings: dict[str, Any] = {
            "root": str(folder / "root"),
            "state": str(folder / "state"),
            "region": region,
            "other_region": other,
            "bucket": f"artifacts-{region}",
            "application": {"version": "0f3a9c2be7714d58", "port": free_port(), "health_path": "/healthz"},
            "database": {
                "name": DATABASE,
                "host": "127.0.0.1",
                "port": server.port,
                "secrets": {name: name for name in PASSWORDS},
            },
            "gate": {"port": free_port()},
            "witness": {"name": WITNESS_NAME, "resolvers": [self.witness.address]},
            "metrics": {"port": self.statsd.port},
            "intervals": dict(FAST),
        }
        self.change(**changes)
        certificates = folder / "root" / "ca" / "rds.pem"
        certificates.parent.mkdir(parents=True)
        shutil.copyfile(server.laboratory.authority.certificate, certificates)
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Config:
        """The configuration as the kit reads it."""
        return parse(self.settings)

    @property
    def environment(self) -> dict[str, str]:
        """What a process on this instance sees."""
        return {**self.aws.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.endpoint}

    @property
    def journal(self) -> str:
        """What the daemon has said."""
        path = self.folder / "journal"
        return path.read_text() if path.exists() else ""

    @property
    def daemon_pid(self) -> int:
        """The daemon's process."""
        assert self._daemon is not None
        return self._daemon.pid

    def change(self, **changes: Any) -> None:
        """Change kit.json; the next process reads it."""
        for key, value in changes.items():
            known = self.settings.get(key)
            self.settings[key] = {**known, **value} if isinstance(known, dict) else value
        (self.folder / "kit.json").write_text(json.dumps(self.settings))

    def kit(self, verb: str, *arguments: str, deadline_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return subprocess.run(
            self._command(verb, *arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )

    def answer(self, verb: str, *arguments: str) -> dict[str, Any]:
        """Run a verb that must succeed, and read its JSON."""
        done = self.kit(verb, *arguments)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer

    def start(self) -> None:
        """Start the daemon, and wait for its gate."""
        with (self.folder / "journal").open("ab") as journal:
            self._daemon = subprocess.Popen(
                self._command("run"), env=self.environment, stdin=subprocess.DEVNULL, stdout=journal, stderr=journal
            )
        wait_until("the daemon serves its gate", self._gate_listens, 15)

    def stop(self) -> int:
        """End the daemon as systemd does; returns its exit code."""
        if self._daemon is None:
            return 0
        self._daemon.terminate()
        try:
            return self._daemon.wait(10)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait(10)
            self._daemon = None

    def close(self) -> None:
        """End everything."""
        self.kill()
        self.witness.close()
        self.statsd.close()
        self.metadata.close()

    def _gate_listens(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, self.journal
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.settings["gate"]["port"]), 1):
            return True
        return False

    def _command(self, verb: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "bicoastal.kit", verb, "--config", str(self.folder / "kit.json"), *arguments]


@contextlib.contextmanager
def closing(*instances: Instance) -> Iterator[None]:
    """End the instances in any case."""
    try:
        yield
    finally:
        for instance in instances:
            instance.close()


def stays(what: str, holds: Any, for_s: float) -> None:
    """Watch that a condition holds all the time. Raises AssertionError that names it when it does not."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        assert holds(), f"did not stay: {what}"
        time.sleep(0.05)
