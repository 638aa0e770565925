"""Instances boot from the service template's own user data: units in order, the real kit, servers that answer."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path

from bicoastal.twin.addresses import resolver_name
from bicoastal.twin.instances.machine import Machine
from bicoastal.twin.pace import Pace
from tests.support.postgres import wait_until
from tests.twin.instances.conftest import DEADLINE_S, REGION, SERVER, Site, Sites, console, get, prepared

GATE = "/.well-known/bicoastal/gate"
FOLDER = "/opt/bicoastal"


def application(folder: Path) -> Path:
    """A folder with a server in it."""
    made = folder / "application"
    made.mkdir()
    (made / "server.py").write_text(SERVER)
    return made


def test_from_user_data_to_an_application_that_answers_at_the_instances_own_address(site: Site, tmp_path: Path) -> None:
    text = site.user_data(
        application(tmp_path), command="exec python3.11 server.py", environment={"GREETING": "50 % $x"}
    )
    id_ = site.launch(text)
    machine = site.booted(id_)
    site.healthy(machine)
    assert site.state(id_) == "running"
    seen = json.loads(get(machine.address, 8080, "/") or b"{}")
    assert seen["GREETING"] == "50 % $x"
    assert (seen["HOST"], seen["BICOASTAL_INSTANCE_ID"]) == (machine.address, id_)
    assert seen["BICOASTAL_AVAILABILITY_ZONE"] == "us-east-1b"
    assert "app-password-of-tests" in seen["DATABASE_URL"]
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT" not in seen, "the unit is denied the metadata service"
    wait_until("the gate answers", lambda: get(machine.address, 8099, GATE) == b"gate\n", DEADLINE_S)
    secret = machine.root / f"{FOLDER[1:]}/etc/application.env"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    local = json.loads((machine.root / f"{FOLDER[1:]}/etc/kit.local.json").read_text())
    assert local["listen"] == machine.address
    assert local["witness"]["resolvers"] == [f"{site.ground.addresses.of(resolver_name(REGION))}:10053"]
    assert "not in force here" in machine.console.read_text()
    assert "request /healthz" in (machine.root / f"{FOLDER[1:]}/log/application.log").read_text()
    _is_restarted_and_kept_from_metadata(seen, machine)
    _is_counted(machine)
    _ends(site, id_, machine)


def _is_restarted_and_kept_from_metadata(seen: dict[str, str], machine: Machine) -> None:
    os.kill(int(seen["PID"]), signal.SIGKILL)

    def another() -> bool:
        found = get(machine.address, 8080, "/")
        return found is not None and json.loads(found)["PID"] != seen["PID"]

    wait_until(f"the unit has started another one\n{console(machine)}", another, DEADLINE_S)
    assert get(machine.address, 8080, "/metadata") == b"reset", "and asking it all the same is of no use"
    assert get(machine.address, 8080, "/aws") == b"253", "nor has it credentials for the aws command"
    said = machine.shell(
        "systemctl is-active bicoastal-application.service bicoastal-kit; echo $ROOT; ls /opt/bicoastal", 30
    )
    assert said.output.splitlines()[:3] == ["active", "active", str(machine.root)], said
    assert {"app", "kit", "etc"} <= set(said.output.split())


def _is_counted(machine: Machine) -> None:
    usage = machine.usage()
    assert usage.cpu_s > 0.1, "what has ended is counted too"
    assert 1 << 20 < usage.memory_bytes < machine.memory_bytes == 1 << 30
    assert machine.vcpus == 0.25


def _ends(site: Site, id_: str, machine: Machine) -> None:
    site.client("ec2").terminate_instances(InstanceIds=[id_])
    site.loop.poke()
    wait_until("it is terminated", lambda: site.state(id_) == "terminated", DEADLINE_S)
    assert get(machine.address, 8080, "/healthz") is None
    assert not machine.root.exists()
    assert site.controller.find(REGION, id_) is None
    assert "boots in us-east-1b" in site.client("ec2").get_console_output(InstanceId=id_)["Output"]


def test_an_application_that_is_no_python_and_one_whose_program_is_not_there(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "healthz").write_text("fine")
    (folder / "start.sh").write_text('#!/bin/sh\nexec python3.11 -m http.server "$PORT" --bind "$HOST"\n')
    (folder / "start.sh").chmod(0o755)
    machine = site.booted(site.launch(site.user_data(folder, command="./start.sh", port=9000)))
    # `port` is the database's above; the application's stays the spec's.
    site.healthy(machine)
    config = """#cloud-config
write_files:
  - path: /etc/systemd/system/none.service
    content: |
      [Service]
      ExecStart=/usr/bin/no-such-program --serve
runcmd:
  - [systemctl, enable, --now, none.service]
  - [no-such-tool, x]
  - echo said > /var/log/said
"""
    other = site.booted(site.launch(config, profile=False))
    text = other.console.read_text()
    assert "/usr/bin/no-such-program: is not on this machine" in text
    assert "runcmd no-such-tool x: no-such-tool: is not on this machine" in text
    assert (other.root / "var/log/said").read_text() == "said\n"


def test_an_instance_that_shuts_itself_down_is_terminated(site: Site) -> None:
    id_ = site.launch("#cloud-config\nruncmd:\n  - [shutdown, -h, now]\n", profile=False)
    wait_until("it is terminated", lambda: site.state(id_) == "terminated", DEADLINE_S)
    answer = site.client("ec2").describe_instances(InstanceIds=[id_])["Reservations"][0]["Instances"][0]
    assert answer["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_power_state_ends_it_by_the_twins_pace(sites: Sites) -> None:
    site = sites(Pace("test", 1200))
    config = '#cloud-config\nwrite_files: []\npower_state: {mode: poweroff, delay: "+10"}\n'
    id_ = site.launch(config, profile=False)
    site.booted(id_)
    assert site.state(id_) == "running"
    wait_until("ten minutes have passed", lambda: site.state(id_) == "terminated", DEADLINE_S)
    gone = "InvalidInstanceID.NotFound"

    def forgotten() -> bool:
        try:
            site.state(id_)
        except Exception as error:
            return gone in str(error)
        return False

    wait_until("an hour has passed, and nobody remembers it", forgotten, DEADLINE_S)


COUNTER = """#cloud-config
write_files:
  - path: /etc/systemd/system/count.service
    content: |
      [Service]
      Type=oneshot
      ExecStart=/bin/sh -c "echo boot >> /opt/x/boots"
      [Install]
      WantedBy=multi-user.target
  - path: /opt/x/first
    content: first
runcmd:
  - [systemctl, enable, --now, count.service]
  - echo run >> /opt/x/runcmd
"""


def test_stopped_started_rebooted_and_found_again_with_the_same_disk(sites: Sites) -> None:
    site = sites()
    id_ = site.launch(COUNTER, profile=False)
    machine = site.booted(id_)
    boots, runcmd = machine.root / "opt/x/boots", machine.root / "opt/x/runcmd"
    wait_until("it has booted once", boots.exists)
    ec2 = site.client("ec2")
    ec2.stop_instances(InstanceIds=[id_])
    site.loop.poke()
    wait_until("it is stopped", lambda: site.state(id_) == "stopped", DEADLINE_S)
    assert site.controller.find(REGION, id_) is None
    ec2.start_instances(InstanceIds=[id_])
    site.loop.poke()
    assert site.booted(id_).address == machine.address
    wait_until("it has booted twice", lambda: boots.read_text().count("boot") == 2)

    def checks() -> str:
        return str(ec2.describe_instance_status(InstanceIds=[id_])["InstanceStatuses"][0]["InstanceStatus"]["Status"])

    wait_until("its checks pass", lambda: checks() == "ok", DEADLINE_S)
    ec2.reboot_instances(InstanceIds=[id_])
    site.loop.poke()
    wait_until("it has booted three times", lambda: boots.read_text().count("boot") == 3, DEADLINE_S)
    wait_until("its checks pass again", lambda: checks() == "ok", DEADLINE_S)

    site.loop.stop()
    again = prepared(site.ground)
    try:
        again.booted(id_)
        wait_until("it has booted after the twin was started again", lambda: boots.read_text().count("boot") == 4)
        assert runcmd.read_text() == "run\n", "cloud-init's commands are run once for an instance"
    finally:
        again.loop.stop()


def test_a_region_that_is_lost_and_comes_back_and_a_host_that_fails(site: Site) -> None:
    id_ = site.launch(COUNTER, profile=False)
    machine = site.booted(id_)
    boots = machine.root / "opt/x/boots"
    wait_until("it has booted once", boots.exists)
    process = machine.shell("echo alive", 20)
    assert process.output == "alive\n"
    site.controller.lose(REGION, "refuse")
    assert site.controller.find(REGION, id_) is None
    site.loop.poke()
    site.controller.recover(REGION)
    site.loop.poke()
    wait_until("it has booted again", lambda: boots.read_text().count("boot") == 2, DEADLINE_S)
    machine = site.booted(id_)
    site.controller.lose(REGION, "black-hole")
    assert site.controller.find(REGION, id_) is None
    assert machine.shell("echo alive", 20).output == "alive\n", "nobody reaches it, and it runs on"
    site.controller.recover(REGION)
    assert site.booted(id_) is machine
    site.controller.crash(REGION, id_)
    status = site.client("ec2").describe_instance_status(InstanceIds=[id_])["InstanceStatuses"][0]
    assert status["InstanceStatus"]["Status"] == "impaired"
    site.loop.poke()
    assert site.controller.find(REGION, id_) is None, "nobody heals it: that is its fleet's"


def test_a_host_that_fails_before_the_boot_comes_to_nothing(site: Site) -> None:
    id_ = site.launch(COUNTER, profile=False)
    site.controller.crash(REGION, id_)

    def known() -> bool:
        found = site.client("ec2").describe_instance_status(InstanceIds=[id_], IncludeAllInstances=True)
        (status,) = found["InstanceStatuses"]
        # Whether it had begun is decided in the controller's own thread.
        return bool(status["InstanceState"]["Name"] == "terminated" or status["InstanceStatus"]["Status"] == "impaired")

    wait_until("it is known", known, DEADLINE_S)
    rounds = site.loop.status.rounds
    wait_until("three rounds", lambda: site.loop.status.rounds > rounds + 2, DEADLINE_S)
    assert site.controller.find(REGION, id_) is None
