"""What an `up --detach` takes for a sign of life of the twin that it has started."""

from __future__ import annotations

from pathlib import Path

import pytest

from bicoastal.cli.up import SILENT_S, _Up, last_sign
from bicoastal.deploy.moments import Moment, Noted, Watched
from bicoastal.spec.load import load
from bicoastal.twin.announcement import Announcement
from bicoastal.twin.home import Home
from bicoastal.twin.pace import FAST

SPEC = Path(__file__).resolve().parents[2] / "examples" / "orders" / "bicoastal.yaml"


@pytest.mark.parametrize(
    ("watched_until", "spoke", "sign"),
    [(0.0, False, 100.0), (0.0, True, 500.0), (1000.0, False, 1000.0), (1000.0, True, 1000.0), (50.0, False, 100.0)],
)
def test_silence_counts_from_the_last_word_or_the_end_of_a_watch(
    watched_until: float, spoke: bool, sign: float
) -> None:
    found = Announcement(1, "deploying", "real", "spec", watched_until=watched_until)
    assert last_sign(100.0, found, now=500.0, spoke=spoke) == sign
    assert last_sign(100.0, None, now=500.0, spoke=spoke) == (500.0 if spoke else 100.0)


def test_a_watch_is_announced_by_the_twins_pace_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    told: list[Moment] = []
    up = _Up(Home(tmp_path), SPEC, load(SPEC), FAST, 0, None)
    up._following(told.append)(Watched("service/us-west-2", "changed, and watched for 15 min", 15))
    assert up._watched_until == 1000.0 + 90.0
    assert SILENT_S > 0
    assert [type(moment) for moment in told] == [Watched, Noted]
    assert "90 s at this pace" in told[1].text  # type: ignore[union-attr]
