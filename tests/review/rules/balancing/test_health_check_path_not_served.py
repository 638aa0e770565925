"""A health check on a path that nothing serves finds every instance sick."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "health-check-path-not-served"


def test_a_path_that_its_server_does_not_know() -> None:
    (text,) = said(
        RULE,
        (VPC + BALANCER + FLEET).replace(
            "/opt/app/serve --port 8080", "cat > /etc/app.conf <<EOF\n        location = /health {\n        EOF"
        ),
    )
    assert text.startswith("error: Targets asks for /healthz, and user data serves /health.")


def test_a_prefix_serves_all_below() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET).replace(
                "/opt/app/serve --port 8080", "cat > /etc/app.conf <<EOF\n        location / {\n        EOF"
            ),
        )
        == []
    )


def test_a_program_that_nobody_sees_into() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []
