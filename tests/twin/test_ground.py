"""The ground: addresses that stay, a report that is taken, changes that are told, callers that are known."""

from __future__ import annotations

import socket
import threading
import urllib.error
from pathlib import Path

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.addresses import Addresses, reachable_port
from bicoastal.twin.api import Watcher
from bicoastal.twin.callers import caller
from bicoastal.twin.cloud.process import ask
from bicoastal.twin.home import Home
from bicoastal.twin.processes import Process, Program
from tests.twin.conftest import Grounds

HOME, STANDBY = "us-east-1", "us-west-2"


def test_an_address_stays_with_its_name_over_restarts_and_can_be_listened_on(home: Home) -> None:
    with Addresses(home) as first:
        mine, other = first.of("instance/us-east-1/i-1"), first.of("instance/us-east-1/i-2")
        assert mine != other
        with socket.create_server((mine, 8080)):
            assert first.name_of(mine) == "instance/us-east-1/i-1"
        users = first.users(STANDBY)
        assert first.coast_of(str(users[7])) == STANDBY
        assert first.coast_of(mine) is None
    with Addresses(home) as again:
        assert (again.of("instance/us-east-1/i-1"), again.users(STANDBY)) == (mine, users)
        again.forget("instance/us-east-1/i-1")
        assert again.find("instance/us-east-1/i-1") is None
        assert again.of("instance/us-east-1/i-3") == mine, "what is free is used again"


def test_two_twins_have_different_networks_and_one_that_is_taken_is_said(home: Home, tmp_path: Path) -> None:
    with Addresses(home) as one:
        with Addresses(Home(tmp_path)) as other:
            assert one.resolver.split(".")[:2] != other.resolver.split(".")[:2]
        (tmp_path / "addresses.json").write_text((home.root / "addresses.json").read_text())
        with pytest.raises(SystemFault, match="holds this twin's addresses"):
            Addresses(Home(tmp_path)).claim()


def test_privileged_ports_are_moved() -> None:
    assert [reachable_port(port) for port in (443, 53, 8080)] == [10443, 10053, 8080]


def test_changes_are_told_and_questions_are_not(grounds: Grounds) -> None:
    api = grounds().api
    before = api.changes(0)
    told = threading.Event()
    api.client("sns", HOME).list_topics()
    assert api.changes(before) == before, "a question changes nothing"
    watcher = Watcher(api, told.set)
    watcher.start()
    assert told.wait(10), "the first answer is news"
    told.clear()
    api.client("sns", STANDBY).create_topic(Name="one")
    assert told.wait(10)
    assert api.changes(before) > before
    watcher.stop()


def test_controllers_calls_meet_no_fault_and_stand_in_no_record(grounds: Grounds) -> None:
    api = grounds().api
    ask(api.endpoint, "faults", [{"kind": "refuse"}])
    api.client("sns", HOME).list_topics()
    assert ask(api.endpoint, "calls?after=0") == []


def test_a_report_that_nobody_takes_is_refused_with_those_there_are(grounds: Grounds) -> None:
    with pytest.raises(SystemFault, match="is no report"):
        grounds().api.report("nothing.at.all", HOME)


def test_who_connects_is_known_by_its_program(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        command = ("/bin/bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{door.getsockname()[1]}; sleep 60")
        process = Process(home, Program("caller", command, owner="instance/us-east-1/i-1"), home.log("caller"))
        process.start()
        door.settimeout(10)
        connection, peer = door.accept()
        with connection:
            assert caller(peer[:2]) == "instance/us-east-1/i-1"
        process.kill()
        with socket.create_connection(door.getsockname()) as mine:
            assert caller(mine.getsockname()) == "", "this test is a stranger"


def test_the_admin_paths_need_the_token(grounds: Grounds) -> None:
    endpoint = grounds().api.endpoint
    wrong = type(endpoint)(**{**endpoint.__dict__, "token": "guess"})
    with pytest.raises(urllib.error.HTTPError):
        ask(wrong, "changes?after=0")
