"""The systemd units of an instance, from the empty image to an application behind its balancer.

    install      unpacks the kit
    fetch        application bundle and certificates
    environment  the application's settings and secrets
    kit          the daemon: heartbeat, metrics, read gate, fencing
    application  the team's server
    signal       tells CloudFormation how it went

They are ordered by After= and Wants=, and each tries again for itself: with Requires=, a first failed try (a
credential that is not there yet, a slow NAT) would fail everything behind it for good. The one deadline is `signal`'s.
Every path is under one root and every ExecStart is a program with arguments, so that the same units run elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bicoastal.blueprint.service.agent import LOG_FOLDER

ROOT: Final = "/opt/bicoastal"
KIT_CONFIGURATION: Final = f"{ROOT}/etc/kit.json"
APPLICATION_USER: Final = "application"
KIT_USER: Final = "kit"
UNIT_FOLDER: Final = "/etc/systemd/system"
ATTEMPT_S: Final = 330
"""Seconds for one try of `install`, `fetch` or `environment`; a download of the kit's gives up after 300."""
SIGNAL_DEADLINE_S: Final = 420
"""Seconds that the application has to become healthy. With the boot and a slow download before it, this ends before
CloudFormation stops to listen: a failure comes with its reason."""
_KIT: Final = "python3.11 -m bicoastal.kit"


@dataclass(frozen=True)
class Unit:
    """One unit; `text` is the file's content."""

    name: str
    text: str

    @property
    def service(self) -> str:
        """What systemctl calls it."""
        return f"bicoastal-{self.name}.service"


HARDENING: Final = """\
# For every unit of ours, also those that run as root: nothing is writable but what a unit names.
[Service]
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
# Homes are hidden from units, and versions of the aws command fail where they cannot write a cache into theirs.
Environment=HOME=/tmp
"""


def units(*, region: str, bucket: str, kit_version: str, command: str) -> tuple[Unit, ...]:
    """The units in the order in which they are enabled.

    `region`, `bucket` and `kit_version` are texts or placeholders for them; `command` is the team's, as a shell
    reads it.
    """
    return (
        _install(region, bucket, kit_version),
        _once("fetch", "application bundle and certificates", "install", f"{_KIT} fetch"),
        _once("environment", "the application's settings and secrets", "fetch", f"{_KIT} environment"),
        _kit(),
        _application(command),
        _signal(),
    )


def _install(region: str, bucket: str, version: str) -> Unit:
    archive = f"{ROOT}/kit.tar.gz"
    return Unit(
        "install",
        f"""\
[Unit]
Description=Bicoastal: unpack the instance kit
Wants=network-online.target
After=network-online.target
ConditionPathExists=!{ROOT}/kit/.complete
{_FOR_EVER}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=mkdir -p {ROOT}/kit
ExecStart=aws s3 cp --only-show-errors s3://{bucket}/kits/{version}.tar.gz {archive} --region {region}
ExecStart=tar -xzf {archive} -C {ROOT}/kit --no-same-owner
ExecStart=python3.11 -m compileall -q {ROOT}/kit
ExecStart=touch {ROOT}/kit/.complete
{_TRY_AGAIN}
{_WANTED}
""",
    )


def _once(name: str, description: str, after: str, start: str) -> Unit:
    return Unit(
        name,
        f"""\
[Unit]
Description=Bicoastal: {description}
Wants=bicoastal-{after}.service
After=bicoastal-{after}.service
{_FOR_EVER}
[Service]
Type=oneshot
RemainAfterExit=yes
Environment={_LIBRARIES}
ExecStart={start} --config {KIT_CONFIGURATION}
{_TRY_AGAIN}
{_WANTED}
""",
    )


def _kit() -> Unit:
    return Unit(
        "kit",
        f"""\
[Unit]
Description=Bicoastal: heartbeat, metrics, read gate, fencing
Wants=bicoastal-fetch.service
After=bicoastal-fetch.service
{_FOR_EVER}
[Service]
Type=notify
NotifyAccess=main
WatchdogSec=30
User={KIT_USER}
Environment={_LIBRARIES}
ExecStart={_KIT} run --config {KIT_CONFIGURATION}
# Its own password outlives a boot: a fence must not wait for Secrets Manager.
StateDirectory=bicoastal-kit
StateDirectoryMode=0700
Restart=always
RestartSec=1
# Fencing must work on an instance that the application has filled.
OOMScoreAdjust=-500
{_output("kit")}
{_WANTED}
""",
    )


def _application(command: str) -> Unit:
    return Unit(
        "application",
        f"""\
[Unit]
Description=Bicoastal: the application
Wants=bicoastal-environment.service
After=bicoastal-environment.service
{_FOR_EVER}
[Service]
Type=exec
User={APPLICATION_USER}
WorkingDirectory={ROOT}/app
EnvironmentFile={ROOT}/etc/application.env
ExecStart=/bin/sh -c {_quoted(command)}
Restart=always
RestartSec=2
TimeoutStopSec=25
OOMScoreAdjust=200
# The instance's role is the kit's: neither the application, nor who makes it fetch a URL, gets its credentials.
IPAddressDeny=169.254.169.254/32 fd00:ec2::254/128
{_output("application")}
{_WANTED}
""",
    )


def _signal() -> Unit:
    return Unit(
        "signal",
        f"""\
[Unit]
Description=Bicoastal: tell CloudFormation how it went
Wants=bicoastal-application.service bicoastal-kit.service
After=bicoastal-application.service bicoastal-kit.service
ConditionPathExists=!{ROOT}/.signaled
# An instance that joins by scaling has nobody to tell: CloudFormation refuses, and this gives up.
StartLimitIntervalSec=3600
StartLimitBurst=10
[Service]
Type=oneshot
RemainAfterExit=yes
Environment={_LIBRARIES}
ExecStart={_KIT} signal --config {KIT_CONFIGURATION}
ExecStart=touch {ROOT}/.signaled
ReadWritePaths={ROOT}
Restart=on-failure
RestartSec=30
TimeoutStartSec={SIGNAL_DEADLINE_S + 60}
{_output("kit")}
{_WANTED}
""",
    )


def _output(name: str) -> str:
    """A file that the agent ships: it reads no journal."""
    return f"StandardOutput=append:{LOG_FOLDER}/{name}.log\nStandardError=inherit"


def _quoted(command: str) -> str:
    """The command as one argument that systemd leaves alone: the shell expands it, not systemd."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$"), ("\n", "\\n"), ("\t", "\\t")):
        command = command.replace(plain, escaped)
    return f'"{command}"'


_FOR_EVER: Final = "StartLimitIntervalSec=0"
_LIBRARIES: Final = f"PYTHONPATH={ROOT}/kit PYTHONUNBUFFERED=1"
"""In the kit's units only: an application must not find the kit's libraries before its own."""
_TRY_AGAIN: Final = f"""\
ReadWritePaths={ROOT}
Restart=on-failure
RestartSec=2
TimeoutStartSec={ATTEMPT_S}
{_output("kit")}"""

_WANTED: Final = """\
[Install]
WantedBy=multi-user.target"""
