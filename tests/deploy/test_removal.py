"""Taking a deployment away: in the reverse order, protections lifted, what is retained kept and told."""

from __future__ import annotations

import threading

import pytest

from bicoastal.core.errors import Refused
from bicoastal.deploy.moments import End, Ended
from bicoastal.deploy.removal import destroy, prepare
from tests.deploy.conftest import Bench
from tests.support.small_deployment import HOME, STANDBY


def test_everything_goes_but_what_is_retained(bench: Bench) -> None:
    bench.deploy()
    removal = prepare(bench.session, bench.small.package)
    assert {(item.stack, item.type) for item in removal.kept} == {
        (f"foundation/{HOME}", "AWS::S3::Bucket"),
        (f"foundation/{STANDBY}", "AWS::S3::Bucket"),
    }
    bench.moments.clear()
    outcomes = destroy(bench.session, bench.small.package, removal, bench.moments.append, threading.Event())
    assert {outcome.end for outcome in outcomes.values()} == {End.DONE}
    order = [moment.id for moment in bench.moments if isinstance(moment, Ended)]
    assert order.index(f"database/{STANDBY}") < order.index(f"database/{HOME}") < order.index(f"network/{HOME}")
    assert {bench.status(kind) for kind in ("foundation", "network", "database")} == {"none"}
    assert prepare(bench.session, bench.small.package).stacks == {}


def test_a_bucket_that_was_retained_is_told_before_anything_is_created_anew(bench: Bench) -> None:
    bench.deploy()
    destroy(
        bench.session,
        bench.small.package,
        prepare(bench.session, bench.small.package),
        bench.moments.append,
        threading.Event(),
    )
    with pytest.raises(Refused, match="kept from an earlier deployment"):
        bench.deploy()
    assert bench.status("aside", STANDBY) == "none"
    for region in (HOME, STANDBY):
        bench.client("s3", region).delete_bucket(Bucket=f"{bench.small.name}-test-artifacts-{region}")
    assert bench.deploy().exit_code == 0


def test_after_a_failover_the_replica_goes_first_wherever_it_is(bench: Bench) -> None:
    bench.deploy()
    standby = bench.stack("database", STANDBY)
    assert standby is not None
    for region, role, source in ((STANDBY, "primary", ""), (HOME, "replica", standby.outputs["Arn"])):
        client = bench.client("cloudformation", region)
        name = f"{bench.small.name}-test-database"
        client.update_stack(
            StackName=name,
            UsePreviousTemplate=True,
            Parameters=[
                {"ParameterKey": "Net", "UsePreviousValue": True},
                {"ParameterKey": "Role", "ParameterValue": role},
                {"ParameterKey": "Source", "ParameterValue": source},
            ],
        )
        client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    removal = prepare(bench.session, bench.small.package)
    bench.moments.clear()
    destroy(bench.session, bench.small.package, removal, bench.moments.append, threading.Event())
    order = [moment.id for moment in bench.moments if isinstance(moment, Ended)]
    assert order.index(f"database/{HOME}") < order.index(f"database/{STANDBY}")
