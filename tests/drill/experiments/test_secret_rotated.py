"""A changed password, judged on what was made up."""

from __future__ import annotations

from bicoastal.drill.experiments import secret_rotated
from tests.drill.entries import EAST, WEST, read
from tests.drill.made import FAULT, evidence, run


def test_the_new_password_alone_is_taken_on_both_coasts() -> None:
    def judge(east: list[str], west: list[str]) -> tuple[bool, str]:
        return secret_rotated.judge_taken(run(notes={"taken": {EAST: east, WEST: west}}), evidence())

    assert judge(["after"], ["after"])[0]
    assert judge(["after"], ["before"]) == (
        False,
        f"{EAST} takes the password of after; {WEST} takes the password of before",
    )
    assert not judge(["before", "after"], ["after"])[0]
    assert judge([], ["after"])[1].startswith(f"{EAST} takes the password of nobody")
    assert not secret_rotated.judge_taken(run(), evidence())[0]


def test_an_open_session_goes_on() -> None:
    assert secret_rotated.judge_open(run(notes={"open_session": True}), evidence())[0]
    assert secret_rotated.judge_open(run(notes={"open_session": "terminated"}), evidence()) == (
        False,
        "it does not: terminated",
    )
    assert not secret_rotated.judge_open(run(), evidence())[0]


def test_every_server_is_another_one() -> None:
    assert secret_rotated.judge_servers(run(notes={"servers_of_before": {EAST: [], WEST: []}}), evidence())[0]
    assert not secret_rotated.judge_servers(run(notes={"servers_of_before": {EAST: [], WEST: ["i-1"]}}), evidence())[0]
    assert not secret_rotated.judge_servers(run(), evidence())[0]


def test_nobody_is_refused_for_long() -> None:
    east = [read(FAULT + second) for second in range(1, 21)]
    west = [read(FAULT + second, coast=WEST, region=WEST) for second in range(1, 21)]
    assert secret_rotated.judge_served(run(), evidence(*east, *west, until=FAULT + 20))[0]
    held, said = secret_rotated.judge_served(run(), evidence(*east, *west[:2], *west[12:], until=FAULT + 20))
    assert not held
    assert said == f"at most 11.0 s between two answers (reader near {WEST}), bar 8.0 s"
    assert not secret_rotated.judge_served(run(), evidence(*east, until=FAULT + 20))[0], "nobody asked there"
