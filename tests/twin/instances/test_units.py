"""Unit files: what systemd would read in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bicoastal.blueprint.service.units import units
from bicoastal.core.errors import SystemFault
from bicoastal.kit.environment import render
from bicoastal.twin.instances.units import (
    Unit,
    command,
    environment_file,
    load,
    read_settings,
    seconds,
    split,
)


def test_sections_comments_continued_lines_and_values_that_are_taken_back() -> None:
    found = read_settings(
        "# a comment\n[Unit]\nAfter=a.service\\\n  b.service\nWants=x\n; more\n[Service]\nExecStart=one\nExecStart=\n"
        "ExecStart=two three\nno setting\nEnvironment=A=1 B=2\n"
    )
    assert found["Unit.After"] == ["a.service b.service"]
    assert found["Service.ExecStart"] == ["two three"]
    assert "no setting" not in str(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30", 30), ("1min 20s", 80), ("500ms", 0.5), ("2h", 7200), ("infinity", float("inf")), ("1.5", 1.5)],
)
def test_spans_of_time(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["soon", "5 parsecs", ""])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(SystemFault, match="is no span of time"):
        seconds(text)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mkdir -p /opt/x", ["mkdir", "-p", "/opt/x"]),
        ('/bin/sh -c "echo \\"a b\\" $$HOME 50%%"', ["/bin/sh", "-c", 'echo "a b" $$HOME 50%']),
        ("a 'b  c' d\\tz", ["a", "b  c", "d\tz"]),
        ('a "" b', ["a", "", "b"]),
        ("run %n", ["run", "x.service"]),
    ],
)
def test_command_lines_are_split_as_systemd_does(line: str, words: list[str]) -> None:
    assert split(line, {"n": "x.service"}) == words


@pytest.mark.parametrize("line", ['a "b', "a %z", "a \\"])
def test_command_lines_that_systemd_refuses(line: str) -> None:
    with pytest.raises(SystemFault):
        split(line, {})


def test_variables_are_filled_in_words_and_as_whole_words() -> None:
    environment = {"A": "one two", "B": "x y"}
    assert command("-run ${A}/z $B a$B $$B ${NONE} $NONE", {}).filled(environment) == [
        "run", "one two/z", "x", "y", "a$B", "$B", "",
    ]  # fmt: skip
    assert command("-run", {}).ignore_failure


def test_drop_ins_of_the_prefix_come_before_the_units_own(tmp_path: Path) -> None:
    (tmp_path / "a-b.service").write_text("[Service]\nExecStart=run\nEnvironment=X=unit\nRestartSec=1\n")
    for folder, name, text in (
        ("a-.service.d", "10-hardening.conf", "[Service]\nEnvironment=HOME=/tmp\nPrivateTmp=yes\nRestartSec=2\n"),
        ("a-b.service.d", "20-own.conf", "[Service]\nRestartSec=3\n"),
        ("c-.service.d", "30-other.conf", "[Service]\nRestartSec=4\n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text)
    unit = load([tmp_path], "a-b.service")
    assert unit.last("Service.RestartSec") == "3"
    assert unit.settings["Service.Environment"] == ["X=unit", "HOME=/tmp"]
    assert unit.not_in_force == ["PrivateTmp"]
    with pytest.raises(SystemFault, match=r"Unit file none\.service does not exist"):
        load([tmp_path], "none.service")


def test_the_services_own_units_are_read_whole() -> None:
    """Every command of them can be split, and what is denied the metadata service is known to be."""
    made = {
        unit.name: Unit(unit.service, read_settings(unit.text))
        for unit in units(region="r", bucket="b", kit_version="0" * 16, command='exec python3.11 -m "my app" $X %d')
    }
    assert [command.words[0] for command in made["install"].commands("ExecStart")] == [
        "mkdir", "aws", "tar", "python3.11", "touch",
    ]  # fmt: skip
    (start,) = made["application"].commands("ExecStart")
    assert start.filled({}) == ["/bin/sh", "-c", 'exec python3.11 -m "my app" $X %d']
    assert [name for name, unit in made.items() if unit.denies_metadata] == ["application"]
    assert (made["kit"].type, made["kit"].span("Service.WatchdogSec", 0)) == ("notify", 30)
    assert made["application"].stop_timeout_s == 25
    assert list(made["install"].conditions) == [(Path("/opt/bicoastal/kit/.complete"), False)]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), max_size=30)


@settings(max_examples=60)
@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True), TEXTS, max_size=4))
def test_an_environment_file_that_the_kit_writes_is_read_back(values: dict[str, str]) -> None:
    assert environment_file(render(values)) == values


def test_an_environment_file_that_a_person_writes() -> None:
    assert environment_file('# c\nA=plain value\nB=\'single $x\'\n  C="two\\"x"\nbroken\n') == {
        "A": "plain value",
        "B": "single $x",
        "C": 'two"x',
    }
