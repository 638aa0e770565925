"""The page of the operations is what their table says."""

from __future__ import annotations

from tools.operations import PAGE, page


def test_the_page_is_the_tables() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tools.operations"
