"""Lines of files: each once, through growth, truncation, renaming, and a restart."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from bicoastal.twin.metrics.tail import Tail


def test_whole_lines_once(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    with closing(Tail(file)) as tail:
        assert tail.lines() == []
        file.write_text("one\ntwo\nthr")
        assert tail.lines() == ["one", "two"]
        more(file, "ee\n")
        assert tail.lines() == ["three"]
        more(file, "end")
        assert tail.lines() == []
        assert tail.lines(all_of_it=True) == ["end"]


def test_copied_and_truncated(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_text("one long line\n")
    with closing(Tail(file)) as tail:
        assert tail.lines() == ["one long line"]
        file.write_text("new\n")
        assert tail.lines() == ["new"]


def test_renamed_and_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_text("one\n")
    with closing(Tail(file)) as tail:
        assert tail.lines() == ["one"]
        more(file, "two\n")
        file.rename(tmp_path / "app.log.1")
        file.write_text("three\n")
        assert [*tail.lines(), *tail.lines()] == ["two", "three"]


def test_the_place_is_found_again_after_a_restart(tmp_path: Path) -> None:
    file, state = tmp_path / "app.log", tmp_path / "state"
    file.write_text("one\ntwo\n")
    with closing(Tail(file, state)) as first:
        assert first.lines() == ["one", "two"]
        first.done()
        more(file, "three\n")
        assert first.lines() == ["three"]  # and killed before it has arrived
    with closing(Tail(file, state)) as second:
        assert second.lines() == ["three"]
    file.rename(tmp_path / "app.log.1")
    file.write_text("four\n")
    with closing(Tail(file, state)) as third:
        assert third.lines() == ["four"], "another file of the same name begins at its beginning"


def test_what_has_not_arrived_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_text("one\n")
    with closing(Tail(file)) as tail:
        tail.lines()
        tail.again()
        assert tail.lines() == ["one"]
        tail.done()
        tail.again()
        assert tail.lines() == []


def more(file: Path, text: str) -> None:
    with file.open("a") as stream:
        stream.write(text)
