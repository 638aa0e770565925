"""The table is complete: every state has one row, every row leads on, and the end is reached from everywhere."""

from __future__ import annotations

import pytest

from bicoastal.operate.transitions import TABLES, Operation, Step, row


@pytest.mark.parametrize("operation", TABLES)
def test_every_state_leads_to_the_end(operation: Operation) -> None:
    table = TABLES[operation]
    states = [transition.state for transition in table]
    assert len(set(states)) == len(states), "one row for a state"
    for state in states:
        seen = [state]
        while row(operation, seen[-1]).step is not Step.DONE:
            seen.append(row(operation, seen[-1]).then)
            assert len(seen) <= len(table), f"{state} has no way out: {seen}"


@pytest.mark.parametrize("operation", TABLES)
def test_what_cannot_be_undone_stays_so(operation: Operation) -> None:
    flags = [transition.reversible for transition in TABLES[operation]]
    assert flags == sorted(flags, reverse=True), "no row is reversible after one that is not"


@pytest.mark.parametrize("operation", TABLES)
def test_every_row_says_why(operation: Operation) -> None:
    for transition in TABLES[operation]:
        assert transition.comment.endswith(".")
        assert len(transition.comment) > 40
