"""Ledgers are read as they were written, also while they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bicoastal.drill.ledger import KINDS, Entry, Reader
from tests.drill.entries import read, write

texts = st.text(max_size=20)


@given(
    st.builds(
        Entry,
        began=st.floats(1e9, 2e9),
        ended=st.floats(1e9, 2e9),
        coast=texts,
        user=texts,
        kind=st.sampled_from(KINDS),
        id=texts,
        error=texts,
        region=texts,
        lag_s=st.none() | st.floats(0, 1000),
        pinned=st.booleans(),
    )
)
def test_a_line_is_the_entry(entry: Entry) -> None:
    found = Entry.parse(entry.line())
    assert found is not None
    assert "\n" not in entry.line()
    assert (found.coast, found.user, found.kind, found.id, found.error, found.region, found.pinned) == (
        entry.coast, entry.user, entry.kind, entry.id, entry.error, entry.region, entry.pinned,
    )  # fmt: skip
    assert found.ended == pytest.approx(entry.ended, abs=1e-3)
    assert found.served == entry.served


@pytest.mark.parametrize("line", ["", "{", "[]", '{"t": 1}', "null", '{"t": "x", "ms": 1}'])
def test_what_is_not_whole_is_left_out(line: str) -> None:
    assert Entry.parse(line) is None


def test_a_reader_gives_what_is_new_in_the_order_of_time(tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    reader = Reader([one, two])
    assert reader.entries() == []
    one.write_text(write(102, "b").line() + "\n" + read(104).line()[:20])
    two.write_text(read(101).line() + "\n")
    assert [entry.ended for entry in reader.entries()] == [101, 102]
    with one.open("a") as file:
        file.write(read(104).line()[20:] + "\n")
    assert [entry.ended for entry in reader.entries()] == [101, 102, 104]
