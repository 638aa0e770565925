"""What of user data is read, and which paths of it are moved below an instance's root."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.instances.cloud_config import Power, read
from bicoastal.twin.instances.disk import Disk
from bicoastal.twin.instances.kit_settings import local_settings
from bicoastal.twin.instances.power import asked
from bicoastal.twin.pace import FAST, REAL

DISK = Disk(
    Path("/h/i"), ["/opt/bicoastal/etc/kit.json", "/etc/logrotate.d/bicoastal", "/etc/systemd/system/x.service"]
)


@pytest.mark.parametrize(
    "text",
    [
        "mkdir -p {}/opt/bicoastal/kit",
        "StandardOutput=append:{}/opt/bicoastal/log/kit.log",
        '"root": "{}/opt/bicoastal",',
        "ConditionPathExists=!{}/opt/bicoastal/.done",
        "file:{}/opt/bicoastal/etc/agent.json",
        "{}/opt/aws/amazon-cloudwatch-agent/bin/ctl",
        "X={}/opt/bicoastal; cat {}/var/log/messages.",
        "{}/var/log/*.log {{",
    ],
)
def test_paths_of_the_instance_are_moved(text: str) -> None:
    assert DISK.text(text.format("", "")) == text.format("/h/i", "/h/i")


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/opt/bicoastal/x",
        "https://host/var/log",
        "/opt/bicoastal2/x",
        "/opt/bicoastal-old",
        "/usr/bin/env",
        "relative/opt/bicoastal",
        "/h/i/opt/bicoastal/already",
    ],
)
def test_others_are_left_alone(text: str) -> None:
    assert DISK.text(text) == text


def test_where_a_path_is() -> None:
    assert DISK.local("/opt/bicoastal/etc") == Path("/h/i/opt/bicoastal/etc")
    assert DISK.local("/h/i/opt/bicoastal") == Path("/h/i/opt/bicoastal")
    assert DISK.local("/bin/sh") == Path("/bin/sh")


def test_a_cloud_config_is_read() -> None:
    packed = base64.b64encode(gzip.compress(b"packed")).decode()
    config = read(
        f"""#cloud-config
users: [{{name: a}}]
packages: [python3.11]
write_files:
  - {{path: /a, content: "x", permissions: "0600"}}
  - {{path: /b, encoding: gz+b64, content: {packed}}}
runcmd:
  - [systemctl, enable, --now, a.service]
  - echo hello > /tmp/x
power_state: {{mode: poweroff, delay: "+75"}}
ntp: {{}}
""".encode()
    )
    assert [(item.path, item.content, item.mode) for item in config.files] == [
        ("/a", b"x", 0o600),
        ("/b", b"packed", 0o644),
    ]
    assert config.commands == (("systemctl", "enable", "--now", "a.service"), "echo hello > /tmp/x")
    assert (config.power, config.ignored, config.packages) == (Power(4500.0), ("ntp",), ("python3.11",))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("shutdown -h now", Power(0.0)),
        ("shutdown -r +5", Power(300.0, reboots=True)),
        ("shutdown", Power(60.0)),
        ("poweroff", Power(0.0)),
        ("systemctl reboot", Power(0.0, reboots=True)),
        ("shutdown -c", None),
    ],
)
def test_what_turns_the_power_off(line: str, expected: Power | None) -> None:
    tool, *arguments = line.split()
    assert asked(tool, arguments) == expected
    with pytest.raises(SystemFault, match="Failed to parse time specification: soon"):
        asked("shutdown", ["soon"])


def test_a_script_is_one_command_and_nothing_is_nothing() -> None:
    config = read(b"#!/bin/sh\necho\n")
    assert config.commands == ((config.files[0].path,),)
    assert read(b"").files == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hello", "neither #cloud-config nor a script"),
        (b"#cloud-config\n- [", "no YAML"),
        (b"#cloud-config\n- a", "no mapping"),
    ],
)
def test_what_cloud_init_cannot_read(data: bytes, said: str) -> None:
    with pytest.raises(SystemFault, match=said):
        read(data)


def test_the_kits_intervals_follow_the_pace_but_not_below_what_is_of_use() -> None:
    given = {
        "application": {"health_timeout_s": 4},
        "signal": {"stack": "s", "resource": "Fleet", "deadline_s": 420},
        "intervals": {"isolation": 30},
    }
    real = local_settings(given, state=Path("/there"), listen="127.16.1.1", resolver="127.16.0.2:10053", pace=REAL)
    assert (real["state"], real["intervals"]["isolation"]) == ("/there", 30)
    assert real["intervals"]["tick"] == 1
    assert real["signal"] == {"deadline_s": 420}
    fast = local_settings(given, state=Path("/there"), listen="127.16.1.1", resolver="127.16.0.2:10053", pace=FAST)
    assert fast["intervals"]["isolation"] == 30 / FAST.factor
    assert fast["intervals"]["tick"] == 0.1
    assert fast["application"] == {"health_timeout_s": 4 / FAST.factor}, "as the load balancer's own"
    assert (fast["listen"], fast["metrics"]) == ("127.16.1.1", {"host": "127.16.1.1", "port": 8125})
