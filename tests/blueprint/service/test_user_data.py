"""What an instance is given at boot, as CloudFormation fills it and cloud-init and systemd read it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as suite
from hypothesis import strategies as st

from bicoastal.blueprint.service.agent import LOG_FOLDER
from bicoastal.blueprint.service.units import ATTEMPT_S, ROOT
from bicoastal.blueprint.service.user_data import USER_DATA_BYTES
from bicoastal.blueprint.stacks import compose
from bicoastal.core.errors import Refused
from bicoastal.kit import config as kit_config
from bicoastal.spec.model import Spec
from tests.support.deployed import cloud_config, of_type, plain, service, user_data_text, written_files
from tests.support.specs import spec, valid_specs
from tests.support.systemd import arguments, settings

UNITS = "/etc/systemd/system/"
NAMES = ["install", "fetch", "environment", "kit", "application", "signal"]


def files(any_spec: Spec, region: str = "us-east-1") -> dict[str, str]:
    return written_files(service(any_spec, region).resources["LaunchTemplate"])


def unit(any_spec: Spec, name: str) -> dict[str, list[str]]:
    """A unit's settings with those of its drop-in."""
    written = files(any_spec)
    found = settings(written[f"{UNITS}bicoastal-{name}.service"])
    for key, values in settings(written[f"{UNITS}bicoastal-.service.d/hardening.conf"]).items():
        found.setdefault(key, []).extend(values)
    return found


def configuration(any_spec: Spec, region: str = "us-east-1") -> kit_config.Config:
    """The kit's configuration as the kit itself reads it."""
    return kit_config.parse(json.loads(files(any_spec, region)[f"{ROOT}/etc/kit.json"]))


@suite(max_examples=8)
@given(valid_specs())
def test_it_fits_and_nothing_is_left_to_fill(any_spec: Spec) -> None:
    for region in any_spec.regions:
        text = user_data_text(service(any_spec, region).resources["LaunchTemplate"])
        assert len(text.encode()) <= USER_DATA_BYTES
        assert text.isascii()
        assert "${AWS" not in text


def test_a_full_spec_fits() -> None:
    full = spec(
        name="a" * 16,
        domain=f"{'d' * 52}.example.com",
        app={
            "command": "gunicorn --workers 2 --bind $HOST:$PORT --access-logfile - orders.web.application:create()",
            "packages": [f"package-number-{number}" for number in range(10)],
            "environment": {f"SETTING_NUMBER_{number}": "value " * 10 for number in range(12)},
            "secrets": [f"SECRET_NUMBER_{number}" for number in range(6)],
        },
    )
    text = user_data_text(service(full).resources["LaunchTemplate"])
    assert len(text.encode()) < USER_DATA_BYTES


def test_too_long_a_spec_is_refused_with_the_way_out() -> None:
    with pytest.raises(Refused, match=r"user data could reach \d+ bytes; EC2 takes 16384.*move the longest"):
        compose(spec(app={"command": "run", "environment": {"LICENSE": "x" * 12000}}))


def test_the_kit_accepts_its_configuration_in_both_regions() -> None:
    chosen = spec(app={"command": "run", "secrets": ["SIGNING_KEY"], "health_path": "/up", "port": 9000})
    for region, other in (("us-east-1", "us-west-2"), ("us-west-2", "us-east-1")):
        read = configuration(chosen, region)
        assert (read.region, read.other_region) == (region, other)
        assert (read.application.port, read.application.health_path) == (9000, "/up")
        assert f"database/{region}" in read.database.host
        assert f"database/{other}" in (read.database.other_host or "")
        assert read.witness.name == f"witness.{region}.orders.example.com"
        assert f"foundation/{region}" in read.bucket
        for arn in (read.database.secrets.app, read.database.secrets.kit, read.application.secrets["SIGNING_KEY"]):
            assert f":secretsmanager:{region}:" in arn
        assert (read.database.secrets.master, read.database.secrets.owner) == (None, None)


def test_without_the_flow_no_address_of_the_other_region_is_given() -> None:
    alone = spec(residency={"flows": []})
    for region, other in (("us-east-1", "us-west-2"), ("us-west-2", "us-east-1")):
        assert configuration(alone, region).database.other_host is None
        text = user_data_text(service(alone, region).resources["LaunchTemplate"])
        assert f"database/{other}" not in text


def test_the_kit_signals_the_group_of_its_own_stack() -> None:
    stack = service(spec())
    read = configuration(spec()).signal
    assert read is not None
    assert (read.stack, stack.resources[read.resource].type) == (stack.name, "AWS::AutoScaling::AutoScalingGroup")
    timeout = stack.resources[read.resource].attribute("CreationPolicy")["ResourceSignal"]["Timeout"]
    assert timeout == "PT15M"
    boot_and_packages = 120
    assert boot_and_packages + ATTEMPT_S + read.deadline_s < 15 * 60, "the kit tells why while CloudFormation listens"


@suite(max_examples=8)
@given(
    st.dictionaries(st.from_regex(r"[A-Z]{3,8}", fullmatch=True).map(lambda name: f"X_{name}"), st.text(max_size=40))
)
def test_the_environment_arrives_letter_by_letter(environment: dict[str, str]) -> None:
    clean = {name: value for name, value in environment.items() if value.isprintable()}
    assert configuration(spec(app={"command": "run", "environment": clean})).application.environment == clean


@pytest.mark.parametrize(
    "command",
    [
        "uvicorn app:app --host $HOST --port ${PORT}",
        "node 'my server.js' --n ${N:-1}",
        './run % 100%d \\ "quoted" $HOME $$ ${!x} `echo y`',
        "sh -c 'echo \"$X\"'",
    ],
)
def test_the_command_reaches_the_shell_letter_by_letter(command: str) -> None:
    chosen = spec(app={"command": command})
    (start,) = unit(chosen, "application")["Service.ExecStart"]
    assert arguments(start) == ["/bin/sh", "-c", command]


def test_the_shell_expands_what_the_application_is_given() -> None:
    """The finished ExecStart, run: host, port and a default come from the environment, as the contract says."""
    chosen = spec(app={"command": "printf '%s|%s|%s' \"$HOST\" ${PORT} ${NONE:-default}"})
    (start,) = unit(chosen, "application")["Service.ExecStart"]
    done = subprocess.run(
        arguments(start),
        env={"HOST": "0.0.0.0", "PORT": "8080"},
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    assert done.stdout == "0.0.0.0|8080|default"


def test_what_is_enabled_is_what_is_written_and_nothing_else_runs() -> None:
    document = cloud_config(service(spec()).resources["LaunchTemplate"])
    written = [path.removeprefix(UNITS) for path in files(spec()) if path.endswith(".service")]
    assert written == [f"bicoastal-{name}.service" for name in NAMES]
    assert set(document) == {"users", "packages", "write_files", "runcmd"}
    for command in document["runcmd"]:
        assert isinstance(command, list), "a text would be a shell script"
    enabled = [word for command in document["runcmd"] for word in command if word.startswith("bicoastal-")]
    assert enabled == written


def test_each_unit_starts_after_what_it_needs_and_none_dies_of_a_first_failure() -> None:
    needs = {
        "fetch": {"install"},
        "environment": {"fetch"},
        "kit": {"fetch"},
        "application": {"environment"},
        "signal": {"application", "kit"},
    }
    for name in NAMES:
        found = unit(spec(), name)
        after = {word for line in found["Unit.After"] for word in line.split()}
        assert after >= {f"bicoastal-{other}.service" for other in needs.get(name, set())}
        assert "Unit.Requires" not in found, "a first failed try of the other would fail this one for good"
        assert found["Service.Restart"][0] in ("always", "on-failure")
        if name != "signal":
            assert found["Unit.StartLimitIntervalSec"] == ["0"]
        assert found["Install.WantedBy"] == ["multi-user.target"]


def test_the_kit_is_watched_and_told_apart_from_the_application() -> None:
    kit, application = unit(spec(), "kit"), unit(spec(), "application")
    assert kit["Service.Type"] == ["notify"]
    assert int(kit["Service.WatchdogSec"][0]) > 0
    assert kit["Service.User"] != application["Service.User"]
    created = {user["name"]: user for user in cloud_config(service(spec()).resources["LaunchTemplate"])["users"]}
    for one in (kit, application):
        assert created[one["Service.User"][0]]["shell"] == "/sbin/nologin"
    assert int(kit["Service.OOMScoreAdjust"][0]) < 0 < int(application["Service.OOMScoreAdjust"][0])


def test_the_application_cannot_reach_the_instances_credentials() -> None:
    denied = " ".join(unit(spec(), "application")["Service.IPAddressDeny"])
    assert "169.254.169.254" in denied
    assert "fd00:ec2::254" in denied
    assert not [line for line in unit(spec(), "application").get("Service.Environment", []) if "PYTHONPATH" in line]


@pytest.mark.parametrize("name", NAMES)
def test_every_unit_is_hardened_and_writes_only_below_the_root(name: str) -> None:
    found = unit(spec(), name)
    assert found["Service.NoNewPrivileges"] == ["yes"]
    assert found["Service.ProtectSystem"] == ["strict"]
    assert found["Service.CapabilityBoundingSet"] == [""]
    assert found.get("Service.ReadWritePaths", []) in ([], [ROOT])
    assert (found["Service.ProtectHome"], found["Service.PrivateTmp"]) == (["yes"], ["yes"])
    assert "HOME=/tmp" in found["Service.Environment"], "root's own home is hidden, and the aws command wants one"
    if "Service.User" in found:
        assert "Service.ReadWritePaths" not in found, "what serves requests writes nothing but its own temporary files"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_has_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    written = files(spec())
    paths = [path for path in written if path.startswith(f"{UNITS}bicoastal-")]
    for path in paths:
        (tmp_path / path.removeprefix(UNITS)).parent.mkdir(exist_ok=True)
        (tmp_path / path.removeprefix(UNITS)).write_text(written[path])
    units = [str(tmp_path / f"bicoastal-{name}.service") for name in NAMES]
    assert verified(units) == ""
    kit = tmp_path / "bicoastal-kit.service"
    kit.write_text(kit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in verified(units), "or systemd-analyze reads something else"


def verified(paths: list[str]) -> str:
    """What systemd says about unit files, but for programs that this machine lacks."""
    command = ["systemd-analyze", "verify", "--man=no", *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "\n".join(line for line in done.stderr.splitlines() if "is not executable" not in line)


@pytest.mark.parametrize("name", NAMES)
def test_every_unit_is_programs_and_paths_below_the_root(name: str) -> None:
    """So that the same units run under another root, as they do on the twin."""
    found = unit(spec(), name)
    for line in found["Service.ExecStart"]:
        program, *rest = arguments(line)
        assert program in ("mkdir", "aws", "tar", "touch", "python3.11", "/bin/sh")
        for word in rest:
            assert not word.startswith("/") or word.startswith(f"{ROOT}/"), word


def test_what_units_write_is_shipped_to_declared_groups_and_rotated() -> None:
    stack = service(spec(logs={"retention_days": 7}))
    template = stack.resources["LaunchTemplate"]
    agent = json.loads(written_files(template)[f"{ROOT}/etc/cloudwatch-agent.json"])
    shipped = {
        item["file_path"]: item["log_group_name"] for item in agent["logs"]["logs_collected"]["files"]["collect_list"]
    }
    for name in NAMES:
        (output,) = unit(spec(), name)["Service.StandardOutput"]
        path = output.removeprefix("append:")
        assert path in shipped
        assert path in written_files(template), "systemd makes the file, and not the folder"
        assert Path(path).parent == Path(LOG_FOLDER)
    groups = {
        group.get("LogGroupName"): group
        for group in of_type(stack, "AWS::Logs::LogGroup").values()
        if not group.get("LogGroupName").startswith("aws-waf-logs-")
    }
    assert set(groups) == set(shipped.values())
    for group in groups.values():
        assert group.get("RetentionInDays") == 7
        assert "LogsKey" in plain(group.get("KmsKeyId"))
        assert group.logical_id in stack.resources["Fleet"].body["DependsOn"], "or the agent has nowhere to write"
    assert f"{LOG_FOLDER}/*.log" in written_files(template)["/etc/logrotate.d/bicoastal"]


def test_the_agent_makes_no_group_and_listens_where_the_kit_sends() -> None:
    agent = json.loads(files(spec())[f"{ROOT}/etc/cloudwatch-agent.json"])
    for item in agent["logs"]["logs_collected"]["files"]["collect_list"]:
        assert "retention_in_days" not in item
        assert item["log_stream_name"].startswith("{instance_id}"), "one stream for each instance"
    kit = configuration(spec())
    assert (
        agent["metrics"]["metrics_collected"]["statsd"]["service_address"] == f"{kit.metrics.host}:{kit.metrics.port}"
    )


def test_the_teams_packages_are_installed_with_ours_once() -> None:
    chosen = spec(app={"command": "run", "packages": ["nodejs20", "python3.11"]})
    document: Any = cloud_config(service(chosen).resources["LaunchTemplate"])
    assert document["packages"] == ["python3.11", "amazon-cloudwatch-agent", "rsyslog", "logrotate", "nodejs20"]


def test_no_password_and_no_key_is_in_it() -> None:
    text = user_data_text(service(spec(app={"command": "run", "secrets": ["SIGNING_KEY"]})).resources["LaunchTemplate"])
    assert "resolve:secretsmanager" not in text
    assert text.count("arn:aws:secretsmanager") == 3
