"""The runbook is what the operations' table says, each row of it can be done by hand, and its lines are a shell's."""

from __future__ import annotations

import subprocess

import pytest

from bicoastal.operate.transitions import TABLES, Step
from tools.runbook import BREAK_GLASS_TITLE, IN_REGION_TITLE, PAGE, lines_of, page
from tools.runbook_deeds import DEEDS


def test_the_page_is_the_tables() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tools.runbook"


def test_every_row_and_nothing_else_is_done_by_hand() -> None:
    rows = {(operation, row.step) for operation, table in TABLES.items() for row in table if row.step is not Step.DONE}
    assert set(DEEDS) == rows


@pytest.mark.parametrize(
    ("section", "steps"),
    [
        *((operation, len(table) - 1) for operation, table in TABLES.items()),
        (IN_REGION_TITLE, 1),
        (BREAK_GLASS_TITLE, 2),
    ],
)
def test_its_lines_can_be_pasted_into_any_shell(section: str, steps: int) -> None:
    lines = lines_of(PAGE.read_text(), section)
    assert len(lines) == 1 + steps, "those of the top, and a block for each row but the last"
    done = subprocess.run(
        ["sh", "-n"], input="\n".join(lines), capture_output=True, text=True, timeout=30, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
