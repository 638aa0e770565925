"""Whole deployments against a stand-in for AWS: created, unchanged, changed, failed, carried on."""

from __future__ import annotations

import threading

import pytest

from bicoastal.core.errors import Refused
from bicoastal.deploy.deployment import Wishes, plan
from bicoastal.deploy.moments import End
from bicoastal.deploy.package import Artifact
from tests.deploy.conftest import Bench, until
from tests.support.small_deployment import HOME, STANDBY, topic, waits


def test_everything_is_created_and_wired_and_stateful_stacks_are_protected(bench: Bench) -> None:
    bench.small.artifacts["kit"] = Artifact("kits/1.tar.gz", b"kit", "1")
    result = bench.deploy()
    assert result.exit_code == 0
    assert set(result.stacks) == {entry.id for entry in bench.small.manifest.stacks}
    home, standby = bench.stack("database"), bench.stack("database", STANDBY)
    assert home is not None
    assert standby is not None
    assert standby.parameters == {
        "Net": f"arn:aws:sns:{STANDBY}:123456789012:{bench.small.name}-net",
        "Role": "replica",
        "Source": home.outputs["Arn"],
    }
    assert standby.tags == bench.small.tags
    assert home.protected
    assert (aside := bench.stack("aside", STANDBY)) is not None
    assert not aside.protected
    for region in (HOME, STANDBY):
        stored = bench.client("s3", region).get_object(
            Bucket=f"{bench.small.name}-test-artifacts-{region}", Key="kits/1.tar.gz"
        )
        assert stored["Body"].read() == b"kit"


def test_nothing_to_change_is_said_and_nothing_is_executed(bench: Bench) -> None:
    bench.deploy()
    before = len(bench.session.log.calls)
    result = bench.deploy()
    assert result.unchanged
    assert result.exit_code == 0
    done = {call.action for call in bench.session.log.calls[before:]}
    assert "ExecuteChangeSet" not in done
    assert "UpdateTerminationProtection" not in done
    assert _change_sets(bench) == []


def test_what_operations_changed_is_kept(bench: Bench) -> None:
    bench.deploy()
    client = bench.client("cloudformation", STANDBY)
    name = f"{bench.small.name}-test-database"
    client.update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "Net", "UsePreviousValue": True},
            {"ParameterKey": "Role", "ParameterValue": "primary"},
            {"ParameterKey": "Source", "ParameterValue": ""},
        ],
    )
    client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    bench.small.database["More"] = topic(f"{bench.small.name}-more")
    assert bench.deploy().exit_code == 0
    found = bench.stack("database", STANDBY)
    assert found is not None
    assert (found.parameters["Role"], found.parameters["Source"]) == ("primary", "")


def test_a_changed_output_reaches_the_stacks_that_take_it(bench: Bench) -> None:
    bench.deploy()
    bench.small.network["Net"] = topic(f"{bench.small.name}-other")
    assert bench.deploy().exit_code == 0
    found = bench.stack("database")
    assert found is not None
    assert found.parameters["Net"].endswith("-other")


def test_a_failure_names_its_first_cause_and_line_and_takes_only_dependents_with_it(bench: Bench) -> None:
    bench.small.network["Never"] = waits(1, DependsOn="Net")
    result = bench.deploy()
    assert result.exit_code == 3
    ends = {name: outcome.end for name, outcome in result.outcomes.items()}
    assert ends[f"network/{HOME}"] is End.FAILED
    assert ends[f"database/{STANDBY}"] is End.SKIPPED
    assert ends[f"aside/{STANDBY}"] is End.DONE
    assert result.outcomes[f"database/{HOME}"].because == f"network/{HOME}"
    told = str(result.outcomes[f"network/{HOME}"].error)
    assert f"{bench.small.name}-test-network is ROLLBACK_COMPLETE" in told
    assert "First cause: Never (AWS::CloudFormation::WaitCondition): " in told
    text = bench.small.package.templates["network.yaml"].splitlines()
    line = next(number for number, content in enumerate(text, 1) if '"Never": {' in content)
    assert f"It is at network.yaml:{line}:" in told
    assert "Rolled back: " in told
    assert "run `bicoastal deploy` again" in told


def test_after_a_failed_creation_the_next_run_starts_that_stack_anew(bench: Bench) -> None:
    bench.small.network["Never"] = waits(1, DependsOn="Net")
    bench.deploy()
    assert bench.status("network") == "ROLLBACK_COMPLETE"
    del bench.small.network["Never"]
    result = bench.deploy()
    assert result.exit_code == 0
    assert bench.status("network") == "CREATE_COMPLETE"
    assert result.outcomes[f"foundation/{HOME}"].end is End.UNCHANGED


def test_a_failed_update_leaves_what_was_and_the_next_run_goes_on(bench: Bench) -> None:
    bench.deploy()
    bench.small.network["Never"] = waits(1)
    result = bench.deploy()
    assert result.exit_code == 3
    assert "UPDATE_ROLLBACK_COMPLETE" in str(result.outcomes[f"network/{HOME}"].error)
    del bench.small.network["Never"]
    bench.small.network["More"] = topic(f"{bench.small.name}-more")
    assert bench.deploy().exit_code == 0
    assert bench.status("network") == "UPDATE_COMPLETE"


def test_a_rollback_that_failed_is_continued_and_if_it_cannot_be_the_way_out_is_told(bench: Bench) -> None:
    thing = f"{bench.small.name}-thing"
    bench.small.aside["Thing"] = _thing(thing, "before")
    bench.deploy()
    bench.small.aside["Thing"] = _thing(thing, "after")
    bench.small.aside["Never"] = waits(2, DependsOn="Thing")
    iot = bench.client("iot", STANDBY)

    def take_away() -> None:
        until(lambda: iot.describe_thing(thingName=thing)["attributes"] == {"state": "after"})
        iot.delete_thing(thingName=thing)

    taker = threading.Thread(target=take_away)
    taker.start()
    failed = bench.deploy()
    taker.join(timeout=30)
    told = str(failed.outcomes[f"aside/{STANDBY}"].error)
    assert "is UPDATE_ROLLBACK_FAILED" in told
    assert "First cause: Never " in told
    assert "The rollback failed at Thing." in told
    stuck = str(bench.deploy().outcomes[f"aside/{STANDBY}"].error)
    assert "First cause: Thing (AWS::IoT::Thing)" in stuck
    assert "--resources-to-skip" in stuck
    iot.create_thing(thingName=thing)
    del bench.small.aside["Never"]
    assert bench.deploy().exit_code == 0
    assert bench.status("aside", STANDBY) == "UPDATE_COMPLETE"


def test_an_operation_that_still_runs_is_waited_for(bench: Bench) -> None:
    bench.small.aside["Slow"] = waits(60)
    first = threading.Thread(target=lambda: Bench(bench.cloud, bench.small).deploy(), daemon=True)
    first.start()
    until(lambda: bench.status("aside", STANDBY) == "CREATE_IN_PROGRESS")
    signaler = threading.Timer(1.0, bench.signal, ("aside", STANDBY, "Slow"))
    signaler.start()
    result = bench.deploy()
    assert result.exit_code == 0
    assert bench.status("aside", STANDBY) == "CREATE_COMPLETE"
    first.join(timeout=30)


def test_replacing_in_a_protected_stack_is_refused_and_nothing_is_executed(bench: Bench) -> None:
    bench.deploy()
    bench.small.database["Data"] = topic(f"{bench.small.name}-anew")
    bench.small.aside["More"] = topic(f"{bench.small.name}-more")
    with pytest.raises(Refused, match="--allow-replacement Data") as refused:
        bench.deploy()
    assert "Nothing was created or changed." in str(refused.value)
    assert bench.status("aside", STANDBY) == "CREATE_COMPLETE"
    assert _change_sets(bench) == []
    assert bench.deploy("Data").exit_code == 0
    assert bench.status("database") == "UPDATE_COMPLETE"


def test_a_bucket_is_not_removed_from_any_stack_without_permission(bench: Bench) -> None:
    bench.small.aside["Kept"] = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"{bench.small.name}-kept"}}
    bench.deploy()
    del bench.small.aside["Kept"]
    with pytest.raises(Refused, match="it would remove Kept"):
        bench.deploy()


def test_a_stack_of_somebody_else_is_not_touched(bench: Bench) -> None:
    bench.deploy()
    bench.small.tags["application"] = "another"
    with pytest.raises(Refused, match="not of this deployment"):
        bench.deploy()


def test_a_plan_leaves_no_trace(bench: Bench) -> None:
    nothing = plan(bench.session, bench.small.package, Wishes())
    assert all(planned.creates for planned in nothing.stacks)
    assert bench.status("aside", STANDBY) == "none"
    bench.deploy()
    assert plan(bench.session, bench.small.package, Wishes()).empty
    bench.small.aside["More"] = topic(f"{bench.small.name}-more")
    found = plan(bench.session, bench.small.package, Wishes())
    changed = {planned.entry.id: planned.changes for planned in found.stacks if not planned.empty}
    assert [(change.action, change.logical_id) for change in changed[f"aside/{STANDBY}"]] == [("Add", "More")]
    assert list(changed) == [f"aside/{STANDBY}"]
    assert _change_sets(bench) == []


def test_ended_by_the_user_it_starts_nothing_more_and_carries_on_later(bench: Bench) -> None:
    bench.small.foundation["Slow"] = waits(60)

    def end() -> None:
        until(lambda: bench.status("foundation") == "CREATE_IN_PROGRESS")
        bench.stop.set()

    timer = threading.Thread(target=end)
    timer.start()
    result = bench.deploy()
    timer.join(timeout=30)
    assert result.stopped
    assert result.outcomes[f"network/{HOME}"].end is End.NOT_STARTED
    assert bench.status("network") == "none"
    again = Bench(bench.cloud, bench.small)
    for region in (HOME, STANDBY):
        threading.Thread(target=bench.signal, args=("foundation", region, "Slow"), daemon=True).start()
    assert again.deploy().exit_code == 0


def test_a_long_template_goes_through_the_artifact_bucket(bench: Bench) -> None:
    bench.small.aside["Long"] = topic(f"{bench.small.name}-long", Metadata={"Padding": "x" * 60_000})
    bench.small.network["Long"] = topic(f"{bench.small.name}-long", Metadata={"Padding": "x" * 60_000})
    result = bench.deploy()
    assert result.outcomes[f"network/{HOME}"].end is End.DONE
    keys = bench.client("s3").list_objects_v2(Bucket=f"{bench.small.name}-test-artifacts-{HOME}")["Contents"]
    assert [item["Key"].partition("/")[0] for item in keys] == ["templates"]


def _thing(name: str, state: str) -> dict[str, object]:
    """A resource that can be taken away behind CloudFormation's back, and given back under its name."""
    return {
        "Type": "AWS::IoT::Thing",
        "Properties": {"ThingName": name, "AttributePayload": {"Attributes": {"state": state}}},
    }


def _change_sets(bench: Bench) -> list[str]:
    """Change sets that could still be executed."""
    found = []
    for entry in bench.small.manifest.stacks:
        answer = bench.client("cloudformation", entry.region).list_change_sets(StackName=entry.name)
        found += [item["ChangeSetId"] for item in answer["Summaries"] if item["ExecutionStatus"] == "AVAILABLE"]
    return found
