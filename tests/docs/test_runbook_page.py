"""The runbook is what the operations' table says, each row of it can be done by hand, and its lines are a shell's."""

from __future__ import annotations

import subprocess

import pytest

from bicoastal.operate.transitions import TABLES, Operation, Step
from tools.runbook import PAGE, lines_of, page
from tools.runbook_deeds import DEEDS


def test_the_page_is_the_tables() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tools.runbook"


def test_every_row_and_nothing_else_is_done_by_hand() -> None:
    rows = {(operation, row.step) for operation, table in TABLES.items() for row in table if row.step is not Step.DONE}
    assert set(DEEDS) == rows


@pytest.mark.parametrize("operation", TABLES)
def test_its_lines_can_be_pasted_into_any_shell(operation: Operation) -> None:
    lines = lines_of(PAGE.read_text(), operation)
    assert len(lines) == len(TABLES[operation]), "those of the top, and a block for each row but the last"
    done = subprocess.run(
        ["sh", "-n"], input="\n".join(lines), capture_output=True, text=True, timeout=30, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
