"""The journal's copy here has every line once, whoever writes beside the path."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bicoastal.aws.session import Session
from bicoastal.operate.journal import Journal

WRITERS, LINES = 4, 60


@pytest.fixture(autouse=True)
def _quick_turns() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_lines_written_at_once_are_all_there(tmp_path: Path) -> None:
    journal = Journal(Session.at("http://127.0.0.1:9", "key", "secret"), "us-west-2", "bucket", "failover", tmp_path)
    together = threading.Barrier(WRITERS)

    def write(writer: int) -> None:
        together.wait()
        for number in range(LINES):
            journal.write("beside", text=f"{writer}: {number}")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = sorted(json.loads(line)["text"] for line in journal.file.read_text().splitlines())
    assert kept == sorted(f"{writer}: {number}" for writer in range(WRITERS) for number in range(LINES))
    assert sorted(json.loads(line)["text"] for line in journal.lines) == kept
