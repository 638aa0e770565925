"""`backup` says what it needs before it asks AWS anything, and shows what is unknown as unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from bicoastal.cli import backup
from bicoastal.cli.main import bicoastal
from bicoastal.core.errors import BicoastalError, Refused
from bicoastal.operate.backups import Copy, Point, Schedule, Vault
from bicoastal.operate.census import Census, Table
from tests.support.running import sample

EAST, WEST = "us-east-1", "us-west-2"
ARN = f"arn:aws:rds:{EAST}:123456789012:snapshot:awsbackup:job-1234abcd-5678-0000"
POINT = Point(
    arn=ARN,
    region=EAST,
    vault="orders-production",
    state="COMPLETED",
    taken=datetime(2026, 11, 27, 5, 0, tzinfo=UTC),
    source=f"arn:aws:rds:{EAST}:123456789012:db:orders-production-db-g1",
    size=None,
    until=None,
    copies=(Copy(ARN, "", WEST, "RUNNING"),),
)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--keep",), "Say which one"),
        (("job-1", "--latest", "--keep"), "Say which one"),
        (("--latest",), "--keep or --discard"),
        (("--before", "Friday", "--keep"), "'Friday' is no time"),
    ],
)
def test_what_is_missing_is_named_first(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    spec = sample(tmp_path)
    result = CliRunner().invoke(bicoastal, ["backup", "restore", *words, "--spec", str(spec)])
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--latest", "--region", "eu-west-1"), "eu-west-1 is outside of the residency that orders declares"),
        ((ARN.replace(EAST, "eu-west-1"),), "us-east-1 and us-west-2, and nowhere else"),
        ((ARN, "--region", WEST), f"lies in {EAST}, and a recovery point is restored where it lies"),
    ],
)
def test_no_data_leave_the_declared_regions(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    spec = sample(tmp_path)
    result = CliRunner().invoke(bicoastal, ["backup", "restore", *words, "--keep", "--spec", str(spec)])
    assert isinstance(result.exception, BicoastalError)
    assert isinstance(result.exception, Refused)
    assert said in str(result.exception)


def test_what_is_unknown_is_shown_as_that(capsys: pytest.CaptureFixture[str]) -> None:
    schedule = Schedule("cron(0 1 ? * MON-FRI *)", "America/New_York", datetime(2026, 11, 30, 6, 0, tzinfo=UTC))
    backup._print_vault(Vault(EAST, True, "", "orders-production", (POINT,), (schedule,), True))
    backup._print_vault(Vault(WEST, False, "no answer"))
    said = capsys.readouterr().out
    assert "job-1234abcd-567" in said
    assert "unknown" in said.split("COMPLETED")[0], "its size"
    assert f"copy to {WEST}: RUNNING" in said
    assert "next planned: Mon 2026-11-30 06:00 UTC" in said
    assert f"{WEST}\n  unknown: no answer" in said


def test_names_are_as_long_as_they_have_to_be() -> None:
    other = replace(POINT, arn=f"{ARN[:-4]}1111")
    vault = Vault(EAST, True, points=(POINT, other))
    assert backup._short(POINT, Vault(EAST, True, points=(POINT,))) == "job-1234abcd-567"
    assert POINT.id.startswith(backup._short(POINT, vault))
    assert not other.id.startswith(backup._short(POINT, vault))


def table(
    name: str, rows: int | None, live: int | None, alone: int | None = None, *, same: bool | None = None
) -> Table:
    return Table(name, rows, "1", live, "2", same, alone, alone, ())


def test_a_census_says_what_it_saw_and_what_not(capsys: pytest.CaptureFixture[str]) -> None:
    tables = (
        table("public.alike", 7, 7, 0, same=True),
        table("public.changed", 7, 9, 3, same=False),
        table("public.gone", 7, None),
        table("public.later", None, 1),
        table("public.large", 900_000, 900_001, same=False),
        replace(table("public.hidden", None, None), unreadable=("restored", "here")),
    )
    backup._print_census(Census(tables, beat="2026-11-27T05:00:01Z", page_checksums=True, invalid_indexes=0), POINT)
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "4 tables, 900021 rows, with page checksums" in lines["Read"]
    assert "2026-11-27T05:00:01Z" in lines["Read"]
    assert "public.hidden" in lines["Not"]
    assert "the same" in lines["public.alike"]
    assert "3 rows are in the restored one alone" in lines["public.changed"]
    assert "all of it can come back" in lines["public.gone"]
    assert "the live database alone has this table" in lines["public.later"]
    assert "too many rows" in lines["public.large"]
    backup._print_census(Census(unknown="nobody answered", live_unknown="it was not read"), POINT)
    assert capsys.readouterr().out.startswith("Not read, or not wholly: nobody answered")
    backup._print_census(replace(Census(tables), live_unknown="the live one is down"), POINT)
    assert "Compared with nothing: the live one is down" in capsys.readouterr().out
