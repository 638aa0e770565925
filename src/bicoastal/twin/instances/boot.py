"""What an instance does when it boots: as cloud-init from its user data, and at a later boot as systemd alone."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bicoastal.twin.addresses import reachable_port, resolver_name
from bicoastal.twin.ground import Ground
from bicoastal.twin.instances.cloud_config import CloudConfig, Power, WrittenFile
from bicoastal.twin.instances.disk import Disk
from bicoastal.twin.instances.kit_settings import LOCAL, local_settings
from bicoastal.twin.instances.reactor import Reactor
from bicoastal.twin.instances.systemd import Systemd
from bicoastal.twin.interfaces import Said

AGENT_PROGRAM = "amazon-cloudwatch-agent-ctl"
AGENT_KEPT = "/opt/aws/amazon-cloudwatch-agent/etc/configuration"
"""Holds the path of the agent's configuration, for later boots."""
_BOOTED = "/var/lib/cloud/instance/boot-finished"
_KIT_CONFIGURATION = "kit.json"
_KIT_STATE = "/var/lib/bicoastal-kit"
_COMMAND_S = 600.0


class Booting(Protocol):
    """What of a machine a boot needs."""

    region: str
    address: str
    reactor: Reactor

    def say(self, line: str) -> None:
        """A line on the console."""

    def run(self, words: Sequence[str], within_s: float, environment: Mapping[str, str]) -> Said:
        """Run a program to its end."""

    def agent_ctl(self, arguments: Sequence[str]) -> tuple[int, str]:
        """The CloudWatch agent's command."""

    def start_agent(self, path: Path) -> tuple[int, str]:
        """Start the agent with this configuration."""

    def arm(self, wanted: Power) -> None:
        """Turn the power off later."""


class Boot:
    """One boot."""

    def __init__(self, machine: Booting, ground: Ground, systemd: Systemd, disk: Disk) -> None:
        self._machine = machine
        self._ground = ground
        self._systemd = systemd
        self._disk = disk
        self._begun = time.monotonic()

    def run(self, config: CloudConfig) -> None:
        """Do it; returns when the last command has. Raises SystemFault or OSError for what a boot cannot go on with."""
        self._make_disk()
        if self._disk.below(_BOOTED).exists():
            self._again(config)
        else:
            self._first(config)

    def _make_disk(self) -> None:
        for path in ("/var/log", "/var/lib/cloud/instance", "/etc/systemd/system", "/tmp", "/run"):  # noqa: S108
            self._disk.below(path).mkdir(parents=True, exist_ok=True)
        for name in ("messages", "cloud-init-output.log"):
            self._disk.below(f"/var/log/{name}").touch()
        self._own(self._disk.root)

    def _first(self, config: CloudConfig) -> None:
        """The instance's first boot."""
        if config.packages:
            self._machine.say(f"cloud-init: packages are what this machine has: {' '.join(config.packages)}")
        if config.ignored:
            self._machine.say(f"cloud-init: not done here: {', '.join(config.ignored)}")
        agents = _agent_configurations(config)
        for file in sorted(config.files, key=lambda item: item.deferred):
            # The agent is the twin's own: it knows that its paths are below the root.
            self._write(file, moved=file.path not in agents)
        self._write_local_settings(config)
        self._own(self._disk.root)
        for command in config.commands:
            self._run_command(command)
        self._disk.below(_BOOTED).write_text(f"{time.time():.0f}\n")
        self._machine.say(f"cloud-init: finished after {time.monotonic() - self._begun:.2f} s")
        if config.power is not None:
            self._machine.arm(config.power)

    def _again(self, config: CloudConfig) -> None:
        """A later boot: cloud-init writes nothing, and systemd starts what is enabled."""
        self._write_local_settings(config)
        self._machine.reactor.submit(self._systemd.boot()).result(60)
        kept = self._disk.below(AGENT_KEPT)
        if kept.exists():
            self._machine.start_agent(Path(kept.read_text()))

    def _write(self, file: WrittenFile, *, moved: bool) -> None:
        target = self._disk.local(file.path)
        if target == Path(file.path):
            target = self._disk.below(file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = file.content
        if moved:
            with contextlib.suppress(UnicodeDecodeError):
                data = self._disk.text(data.decode()).encode()
        if file.append and target.exists():
            data = target.read_bytes() + data
        target.write_bytes(data)
        target.chmod(file.mode)

    def _write_local_settings(self, config: CloudConfig) -> None:
        """What differs on this machine, beside the kit's own configuration."""
        for file in config.files:
            if file.path.rpartition("/")[2] == _KIT_CONFIGURATION:
                ground = self._ground
                settings = local_settings(
                    json.loads(file.content),
                    state=self._disk.below(_KIT_STATE),
                    listen=self._machine.address,
                    resolver=f"{ground.addresses.of(resolver_name(self._machine.region))}:{reachable_port(53)}",
                    pace=ground.pace,
                )
                target = self._disk.local(file.path).with_name(LOCAL)
                # Not through a link that a program has put there.
                target.unlink(missing_ok=True)
                target.write_text(json.dumps(settings, indent=1) + "\n")
                self._ground.home.account.own(target)

    def _own(self, path: Path) -> None:
        self._ground.home.account.own(path)

    def _run_command(self, command: str | tuple[str, ...]) -> None:
        """One of runcmd: what the machine itself does is done without a program."""
        words = ("/bin/sh", "-c", command) if isinstance(command, str) else command
        name = words[0].rpartition("/")[2]
        if name == "systemctl":
            code, said = self._machine.reactor.submit(self._systemd.systemctl(words[1:])).result(_COMMAND_S)
        elif name == AGENT_PROGRAM:
            code, said = self._machine.agent_ctl(words[1:])
        else:
            done = self._machine.run([self._disk.text(word) for word in words], _COMMAND_S, {})
            code, said = done.code, done.output + done.errors
        with self._disk.below("/var/log/cloud-init-output.log").open("a") as log:
            log.write(said)
        if code:
            last = (said.strip().splitlines() or [f"exit code {code}"])[-1]
            self._machine.say(f"cloud-init: runcmd {' '.join(words)[:120]}: {last}")


def _agent_configurations(config: CloudConfig) -> set[str]:
    """Files that runcmd hands to the CloudWatch agent."""
    words = (word for command in config.commands if not isinstance(command, str) for word in command)
    return {word.removeprefix("file:") for word in words if word.startswith("file:")}
