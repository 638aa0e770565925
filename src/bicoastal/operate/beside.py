"""Things that run beside a path and are waited for by nobody, and questions that are asked at once.

Daemon threads and no executor: Python waits for an executor's threads before it ends, and a region that answers nothing
would hold up the end of an operation that never needed it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bicoastal.core.errors import BicoastalError

DEADLINE_S = 2.5
"""For the second answer, once the first one has come; what has not been said by then is unknown."""
LONGEST_S = 15.0
"""For all, where this machine or the way to AWS is slow."""
_LOOK_S = 0.02


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


def in_time(
    questions: Mapping[str, Callable[[], Any]],
    deadline_s: float = DEADLINE_S,
    *,
    enough: Callable[[Mapping[str, Any]], bool] | None = None,
) -> dict[str, Any]:
    """Ask all at once, and wait for no silent one: returns what was answered in time, or was `enough`, by name.

    A question that failed has its BicoastalError for an answer; whatever else it raised is raised here. Questions that
    are left go on, and nobody listens.
    """
    begun = time.monotonic()
    answers: dict[str, Any] = {}
    failed: list[BaseException] = []

    def asking(name: str, question: Callable[[], Any]) -> Callable[[], None]:
        def ask() -> None:
            try:
                answer = question()
            except BicoastalError as error:
                answer = error
            except BaseException as error:  # it is raised again by the thread that waits
                failed.append(error)
                return
            answers[name] = answer

        return ask

    threads = [start(f"ask {name}", asking(name, question)) for name, question in questions.items()]
    answered_after: float | None = None
    while any(thread.is_alive() for thread in threads) and not (enough and enough(dict(answers))):
        waited = time.monotonic() - begun
        if answers and answered_after is None:
            answered_after = waited
        # What one needed, the other one may need, too: a slow machine is no lost region.
        if waited >= (LONGEST_S if answered_after is None else max(deadline_s, 2 * answered_after)):
            break
        time.sleep(_LOOK_S)
    if failed:
        raise failed[0]
    return dict(answers)


def start(name: str, act: Callable[[], None]) -> threading.Thread:
    """Run it beside; whatever it has to say it says itself."""
    thread = threading.Thread(target=act, name=name, daemon=True)
    thread.start()
    return thread


def begun(name: str, question: Callable[[], Any]) -> Callable[[], Any]:
    """Ask it now; returns what waits for the answer, and returns it or raises what it raised, as often as it is asked.

    The question has a deadline of its own.
    """
    answers: list[Any] = []
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            answers.append(question())
        except BaseException as error:  # it is raised again by whoever waits
            failed.append(error)

    thread = start(name, ask)

    def answered() -> Any:
        thread.join()
        if failed:
            raise failed[0]
        return answers[0]

    return answered
