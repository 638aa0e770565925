"""A whole twin for tests, started and spoken to as its user does: `bicoastal up`, the AWS CLI, a browser's requests.

Nothing of it is imported: it is another process, and what is seen of it is what a person sees.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from dnslib import QTYPE, DNSRecord

from bicoastal.aws.session import Session

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
EAST, WEST = "us-east-1", "us-west-2"
PREFIX = "orders-production"
UP_S = 240.0
"""On a busy machine of two cores."""
Json = Any


def vendored(*packages: str) -> str:
    """A build command that takes packages from where the tests have them: nothing is downloaded in a test."""
    site = Path(sys.executable).parent.parent / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = " ".join(f"{site}/site-packages/{name}*" for name in packages)
    return f"mkdir -p vendor && cp -r {found} vendor/"


SAMPLE_PACKAGES = ("anyio", "click", "h11", "idna", "psycopg", "starlette", "typing_extensions", "uvicorn")


def sample(folder: Path, **changes: str) -> Path:
    """The sample's spec and application in a folder; `changes` replace whole lines by the key that they begin with."""
    shutil.copytree(ROOT / "examples" / "orders" / "app", folder / "app")
    text = (ROOT / "examples" / "orders" / "bicoastal.yaml").read_text()
    text = re.sub(r"^  build: .*$", f'  build: "{vendored(*SAMPLE_PACKAGES)}"', text, flags=re.MULTILINE)
    for key, line in changes.items():
        text, count = re.subn(rf"^{key}: .*$", line, text, flags=re.MULTILINE)
        if not count:
            text += f"{line}\n"
    spec = folder / "bicoastal.yaml"
    spec.write_text(text)
    return spec


@dataclass(frozen=True)
class Page:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Json:
        """Its document."""
        return json.loads(self.body)


@dataclass
class Running:
    """A twin that runs."""

    home: Path
    spec: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def bicoastal(self, *words: str, deadline_s: float = 120, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command, in the environment of `bicoastal env`."""
        return subprocess.run(
            [BIN / "bicoastal", *words],
            env={**os.environ, **self.environment, "BICOASTAL_HOME": str(self.home)},
            cwd=self.spec.parent,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
            **more,
        )

    def up(self, *words: str) -> None:
        """Start it, and wait until both regions serve."""
        done = self.bicoastal("up", "--detach", "--spec", str(self.spec), "--port", "0", *words, deadline_s=UP_S)
        assert done.returncode == 0, done.stdout + done.stderr
        self.environment = self._environment()

    def down(self) -> None:
        """End it."""
        done = self.bicoastal("down")
        assert done.returncode == 0, done.stdout + done.stderr

    def aws(self, *words: str, region: str = EAST) -> Json:
        """Ask the AWS CLI in a shell that has read `bicoastal env`; returns its document."""
        done = subprocess.run(
            ["bash", "-c", 'eval "$TWIN"; aws "$@"', "bash", *words, "--region", region, "--output", "json"],
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TWIN": self.bicoastal("env").stdout},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def client(self, service: str, region: str = EAST) -> Any:
        """A boto3 client."""
        return self._session.client(service, region)

    def fault(self, kind: str, **words: str) -> None:
        """What a button of the console takes away or gives back, asked for as its page does."""
        key = json.loads((self.home / "console.json").read_text())
        origin = f"http://127.0.0.1:{key['port']}"
        headers = {"Content-Type": "application/json", "Origin": origin, "Authorization": f"Bearer {key['token']}"}
        connection = http.client.HTTPConnection("127.0.0.1", key["port"], timeout=60)
        try:
            connection.request("POST", "/api/fault", json.dumps({"kind": kind, **words}), headers)
            answer = connection.getresponse()
            assert answer.status == 202, answer.read().decode()
        finally:
            connection.close()

    @property
    def told(self) -> Json:
        """What the twin tells of itself."""
        return json.loads((self.home / "up.json").read_text())

    @property
    def pid(self) -> int:
        """Of `up`."""
        return int(self.told["pid"])

    def get(self, region: str, path: str = "/", **options: Any) -> Page:
        """What a user near a region gets."""
        return self.ask(region, "GET", path, **options)

    def order(self, region: str, item: str, key: str | None = None) -> Page:
        """Store a row, from a coast."""
        body = json.dumps({"id": key or str(uuid.uuid4()), "item": item, "quantity": 1})
        return self.ask(region, "POST", "/api/orders", body=body)

    def ask(self, region: str, method: str, path: str, *, body: str | None = None, deadline_s: float = 10) -> Page:
        """One request through the front door, as a browser that is near the region."""
        where = urlsplit(self.told["pages"][region])
        context = ssl.create_default_context(cafile=self.told["certificate"])
        with socket.create_connection(("127.0.0.1", where.port or 443), timeout=deadline_s) as plain:
            door = context.wrap_socket(plain, server_hostname=where.hostname)
            connection = http.client.HTTPConnection(where.netloc, timeout=deadline_s)
            connection.sock = door
            try:
                connection.request(method, path, body=body, headers={"Connection": "close"})
                answer = connection.getresponse()
                return Page(answer.status, dict(answer.getheaders()), answer.read().decode())
            finally:
                connection.close()
                door.close()

    def dig(self, region: str, name: str, kind: str = "A") -> list[str]:
        """Ask the DNS server as a user near a region: the values of its answer."""
        host, _, port = self.told["resolver"].rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.bind((self.told["users"][region], 0))
            door.settimeout(5)
            door.sendto(DNSRecord.question(name, kind).pack(), (host, int(port)))
            answer = DNSRecord.parse(door.recv(4096))
        return [str(record.rdata) for record in answer.rr if record.rtype == getattr(QTYPE, kind)]

    def fleet(self, region: str) -> Json:
        """The Auto Scaling group."""
        groups = self.client("autoscaling", region).describe_auto_scaling_groups()["AutoScalingGroups"]
        return groups[0]

    def in_service(self, region: str) -> list[str]:
        """Ids of its instances that serve."""
        return sorted(i["InstanceId"] for i in self.fleet(region)["Instances"] if i["LifecycleState"] == "InService")

    def database(self, region: str) -> Json:
        """The DB instance of the current generation."""
        return self.client("rds", region).describe_db_instances()["DBInstances"][0]

    def processes(self, words: str) -> list[int]:
        """Ids of the twin's processes whose command line holds `words`: they name its folder, or are at home in it.

        A child that was forked a moment ago, and still bears its parent's line, is not one of them.
        """
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                line = process.cmdline()
                whole = " ".join(line)
                if words in whole and str(self.home) in f"{whole} {process.cwd()}":
                    parent = process.parent()
                    if parent is None or parent.cmdline() != line:
                        found.append(process.pid)
        return found

    @property
    def _session(self) -> Session:
        values = self.environment
        return Session.at(
            values["AWS_ENDPOINT_URL"], values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"], attempts=2
        )

    def _environment(self) -> dict[str, str]:
        said = self.bicoastal("env").stdout
        return dict(re.findall(r"^export (\w+)=(.*)$", said, re.MULTILINE))


@contextlib.contextmanager
def running(make: Callable[[Path], Path], *words: str, start: bool = True) -> Iterator[Running]:
    """A twin of its own in a folder of its own; `make` writes the application into a folder and returns its spec."""
    # Not pytest's folder: as root it lies where the account that runs servers cannot enter.
    root = Path(tempfile.mkdtemp(prefix="bicoastal-whole-"))
    root.chmod(0o755)
    (root / "application").mkdir()
    twin = Running(root / "home", make(root / "application"))
    try:
        if start:
            twin.up(*words)
        yield twin
    finally:
        twin.bicoastal("down")
        end = time.monotonic() + 10
        while (left := twin.processes("")) and time.monotonic() < end:
            time.sleep(0.1)
        shutil.rmtree(root, ignore_errors=True)
        assert left == [], f"left over: {left}"


def until(what: str, condition: Callable[[], object], deadline_s: float = 60) -> float:
    """Look until it is so; returns the seconds that it took."""
    begun = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - begun
        except (OSError, http.client.HTTPException, KeyError, IndexError, ValueError):
            pass
        assert time.monotonic() - begun < deadline_s, f"it did not come about within {deadline_s:g} s: {what}"
        time.sleep(0.1)


class Writers:
    """Clients that store rows without a pause, and keep a ledger of what was acknowledged to them."""

    def __init__(self, twin: Running, regions: Sequence[str], *, pause_s: float = 0.02) -> None:
        self._twin = twin
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: list[str] = []
        self.refused = 0
        self._threads = [threading.Thread(target=self._write, args=(region,), daemon=True) for region in regions]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _write(self, region: str) -> None:
        while not self._stop.wait(self._pause_s):
            key = str(uuid.uuid4())
            # The id makes it repeatable: what is not acknowledged is tried again.
            while not self._stop.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    if self._twin.order(region, "ledger", key).status in (200, 201):
                        with self._lock:
                            self.acknowledged.append(key)
                        break
                self.refused += 1
                self._stop.wait(0.1)

    def lost(self, region: str) -> list[str]:
        """What was acknowledged and is not there."""
        return [key for key in self.acknowledged if self._twin.get(region, f"/api/orders/{key}").status != 200]
