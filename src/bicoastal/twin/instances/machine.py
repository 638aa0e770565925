"""One instance: its disk, its boot from user data, its programs, its services to them, and its power.

A machine does what its user data says and what is asked of it; whether it should run, and what the API is told of it,
is the controller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError, SystemFault
from bicoastal.twin.ground import Ground
from bicoastal.twin.instances import aws_command, cloud_config, metadata, power, usage
from bicoastal.twin.instances.boot import AGENT_KEPT, AGENT_PROGRAM, Boot
from bicoastal.twin.instances.bytecode import Bytecode
from bicoastal.twin.instances.disk import Disk
from bicoastal.twin.instances.front_desk import Asked
from bicoastal.twin.instances.reactor import Reactor
from bicoastal.twin.instances.systemd import Systemd
from bicoastal.twin.instances.units import Unit
from bicoastal.twin.interfaces import Admits, Agent, Said, StartAgent, Usage, instance_name
from bicoastal.twin.processes import Process, Program

CORES_PER_VCPU = 0.125
"""What counts as 100 % of a vCPU here: two regions of fleets share this machine's cores."""
CONNECT_TIMEOUT_S = 60.0
"""The AWS CLI's, for a connection that gets no answer."""
SHUTDOWN_S = 30.0
_LOOK_S = 0.5
_FRESH_S = 300.0
_CONSOLE_BYTES = 65536


@dataclass(frozen=True)
class Hardware:
    """What an instance is, by the API."""

    region: str
    id: str
    identity: metadata.Identity
    options: metadata.Options
    role_arn: str
    vcpus: int
    memory_bytes: int
    user_data: bytes
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class House:
    """What all machines of a twin share."""

    ground: Ground
    reactor: Reactor
    programs: Callable[[], Path]
    bytecode: Bytecode
    admits: Admits
    start_agent: StartAgent | None
    sessions: dict[int, tuple[Machine, Unit | None]]
    """Leader of a program's session to whose it is."""


class Machine:
    """A running instance; the `Host` of the twin's other rooms. Methods block and are safe for threads."""

    def __init__(self, hardware: Hardware, house: House, power_off: Callable[[Machine, str], None]) -> None:
        """`power_off` is called when the instance turns itself off: with `poweroff` or `reboot`."""
        ground = house.ground
        self.hardware = hardware
        self.id, self.region, self.zone = hardware.id, hardware.region, hardware.identity.zone
        self.root = ground.home.instances(hardware.region, hardware.id)
        self.address = ground.addresses.of(instance_name(hardware.region, hardware.id))
        self.vcpus = hardware.vcpus * CORES_PER_VCPU
        self.memory_bytes = hardware.memory_bytes
        self.reactor = house.reactor
        self.socket_prefix = f"bicoastal/{self.address}"
        self.booted = threading.Event()
        self.console = ground.home.log("instances", hardware.region, hardware.id)
        self._house = house
        self._tags = hardware.tags
        self._power_off = power_off
        self._lock = threading.Lock()
        self._on = True
        self._disk = Disk(self.root)
        self._systemd = Systemd(self, self._disk.below("/etc/systemd/system"))
        self._metadata = metadata.Metadata(hardware.identity, hardware.options, self._credentials, self._is_denied)
        self._processes: dict[Process, int] = {}
        """To the leader of its session; 0 for one that ended at once."""
        self._ended_s = 0.0
        self._shared: set[Path] = set()
        self._session: tuple[Mapping[str, str], Session] | None = None
        self._known: tuple[float, Mapping[str, str]] | None = None
        self._agent: Agent | None = None
        self._timer: threading.Timer | None = None

    # Power.

    def boot(self) -> None:
        """From the disk, or on an empty one from the user data. Returns when the boot has done what it does.

        Raises SystemFault when the machine cannot be had; what goes wrong on it stands on its console.
        """
        self.say(f"{self.id} boots in {self.zone}, at {self.address} for {self.hardware.identity.private_ip}")
        # Here, and not in the reactor's thread: as root it may have to be copied first.
        self._house.programs()
        self.reactor.submit(self._listen()).result(10)
        try:
            config = cloud_config.read(self.hardware.user_data)
            self._disk = Disk(self.root, [file.path for file in config.files])
            Boot(self, self._house.ground, self._systemd, self._disk).run(config)
        except BicoastalError as error:
            self.say(f"cloud-init: {str(error).splitlines()[0]}")
        except OSError as error:
            self.say(f"cloud-init: {error}")
        self.booted.set()

    def shut_down(self) -> None:
        """As `poweroff`: services end by their own rules, within a time; then everything is gone."""
        with contextlib.suppress(TimeoutError, SystemFault):
            self.reactor.submit(self._systemd.stop_everything()).result(SHUTDOWN_S)
        self.cut()

    def cut(self) -> None:
        """The power goes: every program is gone at once. The disk stays."""
        with self._lock:
            if not self._on:
                return
            self._on = False
            left = list(self._processes)
        if self._timer is not None:
            self._timer.cancel()
        with contextlib.suppress(TimeoutError, SystemFault):
            self.reactor.submit(self._cut()).result(10)
        # All at once, and only then one by one: none must see the others go and live on.
        self._signal_all(signal.SIGKILL)
        for process in left:
            self.dismiss(process)
        if self._agent is not None:
            with contextlib.suppress(BicoastalError):
                self._agent.stop()
        self.say("power off")

    async def _listen(self) -> None:
        await self._metadata.start(self.address)
        if not self._on:
            # The power went meanwhile, and what it took was not there yet.
            await self._metadata.stop()

    async def _cut(self) -> None:
        self._systemd.abandon_everything()
        await self._metadata.stop()

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in usage.members(self._processes.values(), fresh=True):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    # Turning itself off.

    def arm(self, wanted: cloud_config.Power) -> None:
        """Turn the power off after a time, by the twin's pace."""
        delay = self._house.ground.pace.seconds(wanted.delay_s)
        self._timer = threading.Timer(delay, self._turn_off, ("reboot" if wanted.reboots else "poweroff",))
        self._timer.daemon = True
        self._timer.start()

    def _turn_off(self, how: str) -> None:
        if self._on:
            self.say(f"{how}: by the instance itself")
            self._power_off(self, how)

    # Programs; for services (`Surroundings`) and shells.

    def environment(self, unit: Unit | None = None) -> dict[str, str]:
        """What every program sees."""
        values = {
            "PATH": f"{self._house.programs()}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            # No call may reach the real AWS, whatever an application's own SDK takes for its endpoint.
            "AWS_ENDPOINT_URL": self._house.ground.api.endpoint.url,
        }
        if unit is None or not unit.denies_metadata:
            values["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = f"http://{self.address}:{metadata.PORT}"
        if unit is not None and (named := unit.last("Service.StateDirectory")):
            values["STATE_DIRECTORY"] = str(self._state_of(named, unit.last("Service.StateDirectoryMode")))
        return values

    def _state_of(self, name: str, mode: str) -> Path:
        """A folder of a unit's own on the disk: it outlives a boot."""
        folder = self.root / "var" / "lib" / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(int(mode or "0755", 8))
        self._house.ground.home.account.own(folder)
        return folder

    def program(self, unit: Unit, words: list[str], environment: Mapping[str, str]) -> Process:
        """A process of a unit, not started. Raises SystemFault for a program that is not there."""
        folder = unit.last("Service.WorkingDirectory") or str(self.root)
        optional = folder.startswith("-")
        place = Path(folder.removeprefix("-"))
        if not place.is_dir():
            if not optional:
                raise SystemFault(f"Changing to the requested working directory failed: {place}")
            place = self.root
        return self._process(f"{self.id} {unit.name}", words, environment, place, self._output(unit))

    def _process(self, name: str, words: list[str], environment: Mapping[str, str], folder: Path, log: Path) -> Process:
        program = Program(
            name,
            (self._found(words[0], environment["PATH"]), *words[1:]),
            environment,
            folder,
            owner=instance_name(self.region, self.id),
        )
        return Process(self._house.ground.home, program, log)

    def _found(self, name: str, path: str) -> str:
        """The program's path: the instance's own, then this machine's."""
        own = self._house.programs() / name.rpartition("/")[2]
        if ("/" not in name or name.startswith(("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"))) and own.exists():
            return str(own)
        if own.name == AGENT_PROGRAM:
            return str(own)
        found = shutil.which(name, path=path)
        if found is None:
            raise SystemFault(f"{name}: is not on this machine (on AWS, a package of the operating system has it)")
        return found

    def _output(self, unit: Unit) -> Path:
        """Where a unit's output goes: one file for both, as all our units have it."""
        kind, _, place = unit.last("Service.StandardOutput").partition(":")
        if kind in ("append", "file", "truncate"):
            path = Path(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "truncate":
                path.write_bytes(b"")
            return path
        return Path("/dev/null") if kind == "null" else self._disk.below("/var/log/messages")

    def launch(self, unit: Unit | None, process: Process) -> None:
        """Start a process of this machine. Raises SystemFault, also when the power is off."""
        self._share_bytecode(process)
        with self._lock:
            if not self._on:
                raise SystemFault(f"{self.id} is off")
            process.start()
            leader = process.pid
            self._processes[process] = leader or 0
            if leader:
                self._house.sessions[leader] = (self, unit)

    def ended(self, process: Process) -> None:
        """It has ended: what it took is kept before it is reaped."""
        leader = self._processes.get(process)
        if leader and (seen := usage.times(leader)):
            self._ended_s += seen.cpu_s

    def _share_bytecode(self, process: Process) -> None:
        """Before a program reads the modules in its folder or on its PYTHONPATH."""
        program = process.program
        trees = {program.folder, *map(Path, program.environment.get("PYTHONPATH", "").split(":"))}
        if "compileall" in program.command:
            trees.add(Path(program.command[-1]))
        for tree in trees - self._shared:
            if tree != self.root and tree.is_relative_to(self.root) and tree.is_dir():
                self._shared.add(tree)
                self._house.bytecode.share(tree)

    def dismiss(self, process: Process) -> None:
        """Kill it with its children, and forget it."""
        process.kill()
        leader = self._processes.pop(process, None)
        if leader:
            self._house.sessions.pop(leader, None)

    def say(self, line: str) -> None:
        """A line on the console."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with contextlib.suppress(OSError), self.console.open("a") as console:
            console.write(f"{stamp} {line}\n")

    def pause_s(self, template_s: float) -> float:
        """By the twin's pace."""
        return self._house.ground.pace.seconds(template_s)

    # What programs on it ask (`Answerer`).

    def answer(self, asked: Asked, session: int, files: aws_command.Files) -> aws_command.Said:
        """Do what a tool was asked for by a program of this session."""
        if asked.tool == "aws":
            _, unit = self._house.sessions.get(session, (self, None))
            place = aws_command.Place(asked.region or self.region, lambda: self._session_of(unit), self._reach)
            return aws_command.run(asked.arguments, place, files)
        if asked.tool == "systemctl" and asked.arguments[:1] not in (("poweroff",), ("reboot",), ("halt",)):
            code, said = self.reactor.submit(self._systemd.systemctl(asked.arguments)).result()
            return aws_command.Said(code, said if code in (0, 3) else "", "" if code in (0, 3) else said)
        if asked.tool == AGENT_PROGRAM:
            code, said = self.agent_ctl(asked.arguments)
            return aws_command.Said(code, said)
        wanted = power.asked(asked.tool, asked.arguments)
        if self._timer is not None:
            self._timer.cancel()
        if wanted is not None:
            self.arm(wanted)
        return aws_command.Said(0)

    def _session_of(self, unit: Unit | None) -> Session:
        if unit is not None and unit.denies_metadata:
            # Where the metadata service is out of reach there are no credentials.
            raise SystemFault(f"{unit.name} may not reach the metadata service")
        return self.session()

    def _reach(self, service: str, region: str) -> None:
        """Wait for a connection to a service as for packets that are dropped: until it may be, or the CLI gives up."""
        mine, there = instance_name(self.region, self.id), f"service/{region}/{service}"
        end = time.monotonic() + self.pause_s(CONNECT_TIMEOUT_S)
        said = False
        while not (verdict := self._house.admits(mine, there, 443)).allowed:
            if not said:
                self.say(f"no way to {there}: {verdict.why}")
                said = True
            if time.monotonic() > end or not self._on:
                raise aws_command.CommandError(
                    aws_command.FAILED, f'Connect timeout on endpoint URL: "https://{service}.{region}.amazonaws.com/"'
                )
            time.sleep(min(_LOOK_S, self.pause_s(CONNECT_TIMEOUT_S)))

    def _credentials(self) -> Mapping[str, str]:
        """Of its role; taken anew well before they end. Raises SystemFault."""
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > _FRESH_S:
                if not self.hardware.role_arn:
                    raise SystemFault(f"{self.id} has no instance profile with a role")
                found = self._house.ground.api.credentials(self.hardware.role_arn, "ec2.amazonaws.com", self.id)
                self._known = (time.monotonic(), found)
            return self._known[1]

    def _is_denied(self, peer: tuple[str, int]) -> bool:
        """Whether it is a program of a unit that is kept from the metadata service."""
        denied = [
            leader
            for leader, (machine, unit) in list(self._house.sessions.items())
            if machine is self and unit is not None and unit.denies_metadata
        ]
        return bool(denied) and usage.holds_socket(denied, peer)

    def agent_ctl(self, arguments: Sequence[str]) -> tuple[int, str]:
        """`amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:PATH`, and `-a stop`."""
        given = dict(pairwise(arguments))
        action, place = given.get("-a", ""), given.get("-c", "")
        if action == "stop" and self._agent is not None:
            self._agent.stop()
            self._agent = None
        if action not in ("fetch-config", "append-config") or not place.startswith("file:"):
            return (0, "") if action in ("stop", "status") else (1, f"{AGENT_PROGRAM}: {action} {place}: not here\n")
        path = self._disk.local(place.removeprefix("file:"))
        if not path.is_file():
            return 1, f"{path}: no such file\n"
        kept = self._disk.below(AGENT_KEPT)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(str(path))
        return self.start_agent(path)

    def start_agent(self, path: Path) -> tuple[int, str]:
        """Have the CloudWatch agent started; exit code, and what is printed."""
        if self._house.start_agent is None:
            return 0, "the CloudWatch agent is not run here\n"
        try:
            if self._agent is not None:
                self._agent.stop()
            self._agent = self._house.start_agent(self, path)
            self._agent.start()
        except BicoastalError as error:
            self.say(f"CloudWatch agent: {str(error).splitlines()[0]}")
            return 1, f"{error}\n"
        return 0, ""

    # What other rooms ask (`Host`).

    def tag(self, name: str) -> str | None:
        """A tag of the instance, as it was at the last look."""
        return self._tags.get(name)

    def note_tags(self, tags: Mapping[str, str]) -> None:
        """What its tags are now."""
        self._tags = tags

    def session(self) -> Session:
        """The API with the rights of its role. Raises SystemFault where it has none."""
        credentials = self._credentials()
        with self._lock:
            if self._session is None or self._session[0] is not credentials:
                self._session = (credentials, self._house.ground.api.session(credentials))
            return self._session[1]

    def usage(self) -> Usage:
        """CPU and memory of all its programs."""
        return usage.of_sessions(self._processes.values(), self._ended_s)

    def shell(self, script: str, within_s: float, environment: Mapping[str, str] | None = None) -> Said:
        """Run a script, its paths moved below the root, which it finds as $ROOT. Raises SystemFault."""
        return self.run(("/bin/sh", "-c", self._disk.text(script)), within_s, environment or {})

    def run(self, words: Sequence[str], within_s: float, environment: Mapping[str, str]) -> Said:
        """Run a program to its end. Raises SystemFault when it is not done in time."""
        folder = Path(tempfile.mkdtemp(dir=self._disk.below("/run")))
        self._house.ground.home.account.own(folder)
        # Two files, where a program of the twin has one log.
        split = ("/bin/sh", "-c", 'exec "$@" >"$0/out" 2>"$0/err"', str(folder))
        values = {**self.environment(), "HOME": "/tmp", "ROOT": str(self.root), **environment}  # noqa: S108
        process = self._process(f"{self.id} shell", [*split, *self._resolved(words, values)], values, self.root,
                                self._disk.below("/var/log/messages"))  # fmt: skip
        try:
            self.launch(None, process)
            if process.pid is not None:
                self.reactor.submit(self._within(process, within_s)).result()
            if process.exit_code is None:
                raise SystemFault(f"{self.id}: a script was not done within {within_s:g} s.")
            said = [(folder / name).read_text(errors="replace") if (folder / name).exists() else ""
                    for name in ("out", "err")]  # fmt: skip
            return Said(process.exit_code, *said)
        finally:
            self.dismiss(process)
            shutil.rmtree(folder, ignore_errors=True)

    def _resolved(self, words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        try:
            return [self._found(words[0], environment["PATH"]), *words[1:]]
        except SystemFault as error:
            return ["/bin/sh", "-c", 'echo "$0" >&2; exit 127', str(error)]

    async def _within(self, process: Process, within_s: float) -> None:
        pid = self._processes.get(process)
        if pid:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.reactor.until_ended(pid), within_s)
                self.ended(process)

    @staticmethod
    def console_of(path: Path) -> str:
        """The end of a console's file."""
        with contextlib.suppress(OSError):
            return path.read_bytes()[-_CONSOLE_BYTES:].decode(errors="replace")
        return ""
