"""What `access` takes for a time, and what it refuses before AWS is asked for anything."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bicoastal.cli.access import Minutes, command
from bicoastal.core.errors import Refused

SPEC = Path(__file__).resolve().parents[2] / "examples" / "orders" / "bicoastal.yaml"


@pytest.mark.parametrize(
    ("text", "minutes"), [("30m", 30), ("2h", 120), ("1h30m", 90), ("5min", 5), ("0h45m", 45), ("720m", 720)]
)
def test_times_are_whole_minutes(text: str, minutes: int) -> None:
    assert Minutes().convert(text, None, None) == minutes


@pytest.mark.parametrize("text", ["", "30", "m", "0m", "-5m", "30s", "half an hour", "1.5h", "30m1h"])
def test_what_is_no_time_is_said_so(text: str) -> None:
    with pytest.raises(click.BadParameter, match="30m, 2h and 1h30m are"):
        Minutes().convert(text, None, None)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--for", "30m"), "needs a reason"),
        (("--for", "30m", "--reason", "why not"), "10 to 200 letters"),
        (("--for", "2h", "--reason", "INC-42: requests hang"), r"more than the 60 that the file allows"),
        (("--for", "7m", "--reason", "INC-42: requests hang"), "One of 5, 10, 15, 30, 45, 60 minutes"),
    ],
)
def test_what_the_file_does_not_allow_is_refused_at_once(words: tuple[str, ...], why: str) -> None:
    done = CliRunner().invoke(command, ["open", "i-0123456789abcdef0", *words, "--spec", str(SPEC)])
    assert isinstance(done.exception, Refused)
    assert why in str(done.exception)
