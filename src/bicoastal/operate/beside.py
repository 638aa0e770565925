"""Things that run beside a path and are waited for by nobody, and questions that are asked at once.

Daemon threads and no executor: Python waits for an executor's threads before it ends, and a region that answers nothing
would hold up the end of an operation that never needed it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any


def together(questions: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Ask all at once; returns the answers by name. Raises what the first failed one raised, once all have ended."""
    answers: dict[str, Any] = {}
    failed: list[BaseException] = []

    def ask(name: str, question: Callable[[], Any]) -> None:
        try:
            answers[name] = question()
        except BaseException as error:  # it is raised again by the thread that waits
            failed.append(error)

    threads = [
        threading.Thread(target=ask, args=(name, question), name=name, daemon=True)
        for name, question in questions.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return answers


def start(name: str, act: Callable[[], None]) -> threading.Thread:
    """Run it beside; whatever it has to say it says itself."""
    thread = threading.Thread(target=act, name=name, daemon=True)
    thread.start()
    return thread
