"""Rules, one by one and in their order, as a client meets them."""

from __future__ import annotations

import time
from typing import Any

from tests.twin.balancers.conftest import Bench, fixed, forward, until


def test_requests_reach_a_target_with_the_headers_that_alb_adds(bench: Bench) -> None:
    balancer = bench.balancer()
    server = bench.server("i-1")
    group = bench.group("app", "i-1")
    begun = time.monotonic()
    bench.listener(balancer, forward(group))
    bench.answers(balancer)
    print("first answer", time.monotonic() - begun)
    bench.until_health(group, i_1="healthy")
    answer = bench.ask(balancer, "/page?x=1", X_Forwarded_For="203.0.113.9", X_Envoy_Retry_On="5xx")
    assert (answer.status, answer.body) == (200, "i-1")
    seen = server.seen[-1]
    assert seen["x-forwarded-for"].replace(" ", "") == "203.0.113.9,127.0.0.1"
    assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("http", "10080")
    assert [name for name in seen if "envoy" in name or "bicoastal" in name] == []
