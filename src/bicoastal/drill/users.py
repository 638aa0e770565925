"""The load: users of both coasts, in a process for each coast, and the ledger that they keep.

Who asks is nobody of the twin's: these processes see DNS, addresses and certificates, as users on the internet do.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from bicoastal.core.errors import SystemFault
from bicoastal.drill.client import Plan, User
from bicoastal.drill.ledger import PAGE, READ, WRITE, Entry, Reader
from bicoastal.twin.addresses import DNS, reachable_port
from bicoastal.twin.ground import Ground

PATIENCE_S = 2.0
"""How long a user waits for an answer. It is a person's, and no pace changes it."""
PERIOD_S = 0.25
_HTTPS = 443
_END_S = 5.0
_ROLES = {READ: "reader", WRITE: "writer"}
_CROWD_FROM = 50
"""The first address of a crowd's within its coast's network."""
_CROWD_MOST = 150
_CROWD_PERIOD_S = 1.0


class Users:
    """A context manager: they ask from its beginning to its end."""

    def __init__(self, ground: Ground, domain: str, pinned_to: str, folder: Path, *, seed: int, each: int = 2) -> None:
        """`each` readers and as many writers on every coast, and one writer who is pinned to a region, on its coast."""
        self._folder = folder
        self._ground, self._domain, self.seed = ground, domain, seed
        self._plans = {
            coast: _plan(ground, domain, coast, pinned_to, folder / f"{coast}.jsonl", seed=seed, each=each)
            for coast in ground.regions
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._reader = Reader(Path(plan.ledger) for plan in self._plans.values())

    def entries(self) -> list[Entry]:
        """What all of them have written until now. Raises SystemFault where a coast's process has ended."""
        for coast, process in self._processes.items():
            if process.poll() is not None:
                log = (self._folder / f"{coast}.log").read_text(errors="replace").strip().splitlines()[-3:]
                raise SystemFault(f"the users of {coast} have ended: {' '.join(log)}")
        return self._reader.entries()

    def start(self) -> None:
        """They begin."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for coast in self._plans:
            self._start(coast)

    def crowd(self, coast: str, people: int) -> None:
        """So many readers of pages are there beside the users of a coast from now on, each asking once a second.

        Raises ValueError for more than a coast has room for.
        """
        if not 0 <= people <= _CROWD_MOST:
            raise ValueError(f"a crowd has {_CROWD_MOST} people at most")
        name = f"crowd near {coast}"
        if name not in self._processes:
            self._gather(coast, name)
        stream = self._processes[name].stdin
        if stream is None:
            raise RuntimeError(f"nobody can speak to the {name}")
        try:
            stream.write(f"{people}\n".encode())
            stream.flush()
        except OSError as error:
            raise SystemFault(f"the {name} has ended: {error}") from error

    def _gather(self, coast: str, name: str) -> None:
        """The process of a crowd; nobody of it is present yet."""
        network = self._ground.addresses.users(coast)
        users = [
            User(f"{number} of the {name}", PAGE, str(network[_CROWD_FROM + number]), self._domain)
            for number in range(1, _CROWD_MOST + 1)
        ]
        ledger = self._folder / f"{name}.jsonl"
        plan = _around(self._ground, coast, users, ledger, period_s=_CROWD_PERIOD_S, seed=self.seed)
        self._plans[name] = replace(plan, crowd=True)
        self._reader.add(ledger)
        self._start(name)

    def stop(self) -> None:
        """They leave, and the ledgers are complete."""
        processes, self._processes = self._processes, {}
        for process in processes.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in processes.values():
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_END_S)

    def _start(self, name: str) -> None:
        file = self._folder / f"{name}.json"
        self._plans[name].write(file)
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "bicoastal.drill.client", str(file)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Users:
        """They begin."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """They leave."""
        self.stop()


def _plan(ground: Ground, domain: str, coast: str, pinned_to: str, ledger: Path, *, seed: int, each: int) -> Plan:
    addresses = iter(ground.addresses.users(coast).hosts())
    users = [
        User(f"{_ROLES[kind]} {number} near {coast}", kind, str(next(addresses)), domain)
        for kind in (READ, WRITE)
        for number in range(1, each + 1)
    ]
    if coast == pinned_to:
        users.append(User(f"pinned to {coast}", WRITE, str(next(addresses)), f"{coast}.{domain}", pinned=True))
    return _around(ground, coast, users, ledger, period_s=PERIOD_S, seed=seed)


def _around(ground: Ground, coast: str, users: Sequence[User], ledger: Path, *, period_s: float, seed: int) -> Plan:
    return Plan(
        coast=coast,
        users=tuple(users),
        resolver=(ground.addresses.resolver, reachable_port(DNS)),
        port=reachable_port(_HTTPS),
        certificate=str(ground.authority.certificate),
        ledger=str(ledger),
        period_s=period_s,
        patience_s=PATIENCE_S,
        seed=seed,
    )
