"""One factor for every time."""

import pytest

from bicoastal.twin.pace import FAST, REAL, Pace


def test_real_changes_nothing_and_fast_divides() -> None:
    assert (REAL.seconds(10), FAST.seconds(10)) == (10, 1)


def test_a_ttl_is_whole_seconds_and_never_becomes_none() -> None:
    assert [FAST.ttl(ttl) for ttl in (0, 1, 60, 61)] == [0, 1, 6, 7]


def test_names() -> None:
    assert Pace.named("fast") is FAST
    with pytest.raises(ValueError, match="'slow' is no pace: give real or fast"):
        Pace.named("slow")
