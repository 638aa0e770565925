"""The answer to CloudFormation."""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.kit.conftest import Launch
from tests.support.instance import Instance
from tests.support.postgres import Laboratory, Postgres

SIGNAL = {"stack": "orders-service", "resource": "Fleet", "deadline_s": 0.5}


@pytest.fixture
def instance(laboratory: Laboratory, launch: Launch) -> Instance:
    """An instance whose database is never asked."""
    return launch(Postgres(laboratory, "nobody"), signal=SIGNAL)


def test_an_application_that_never_answers_is_a_failure(instance: Instance) -> None:
    done = instance.kit("signal")

    assert done.returncode == 1
    assert "within 0.5 s; last: [Errno 111] Connection refused" in done.stderr
    (call,) = instance.aws.calls
    assert f"--stack-name orders-service --logical-resource-id Fleet --unique-id {instance.id} --status FAILURE" in call


def test_it_waits_until_the_health_path_answers_200(instance: Instance) -> None:
    instance.change(signal={"deadline_s": 20})
    asked: list[str] = []

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(503 if len(asked) < 3 else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", instance.settings["application"]["port"]), Slow) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        done = instance.kit("signal")
        server.shutdown()
        thread.join(5)

    assert done.returncode == 0, done.stderr
    assert asked == ["/healthz"] * 3
    assert "--status SUCCESS" in instance.aws.calls[-1]


def test_without_a_stack_it_says_what_is_missing(laboratory: Laboratory, launch: Launch) -> None:
    done = launch(Postgres(laboratory, "nobody")).kit("signal")
    assert (done.returncode, done.stderr) == (2, "signal.stack and signal.resource are needed by `signal`.\n")


def test_an_instance_that_joins_by_scaling_is_awaited_by_nobody(instance: Instance) -> None:
    instance.aws.settle_stack()
    done = instance.kit("signal")
    assert done.returncode == 1, "the application never answered, and that is what it says"
    assert "within 0.5 s" in done.stderr
    assert "signaled" not in done.stderr


def test_one_that_answers_later_than_the_balancer_waits_is_a_failure(instance: Instance) -> None:
    instance.change(application={"health_timeout_s": 0.1})

    class Late(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(0.4)
            with contextlib.suppress(OSError):
                self.send_response(200)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", instance.settings["application"]["port"]), Late) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        done = instance.kit("signal")
        server.shutdown()
        thread.join(5)

    assert done.returncode == 1
    assert "last: timed out" in done.stderr
    assert "--status FAILURE" in instance.aws.calls[-1]
