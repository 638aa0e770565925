"""A Multi-AZ instance loses no acknowledged write when its server moves, and does not hang when its standby is gone."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from bicoastal.twin.databases.server import _working_in
from tests.twin.databases.conftest import HOME, Running, kill, until

pytestmark = pytest.mark.postgres


class Writer:
    """Writes numbers one after the other, reconnecting as an application does, and remembers what was acknowledged."""

    def __init__(self, twin: Running, name: str) -> None:
        self._twin = twin
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: list[int] = []
        twin.query(name, "CREATE TABLE written (number int PRIMARY KEY)")
        self._thread.start()

    def more(self, count: int = 20) -> None:
        """Wait until so many more were acknowledged."""
        wanted = len(self.acknowledged) + count
        until("writes go on", lambda: len(self.acknowledged) >= wanted, self._twin.loop)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def lost(self) -> set[int]:
        rows = self._twin.query(self._name, "SELECT number FROM written")
        return set(self.acknowledged) - {number for (number,) in rows}

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                with self._twin.connect(self._name) as session:
                    while not self._stop.is_set():
                        number += 1
                        session.execute("INSERT INTO written VALUES (%s)", (number,))
                        self.acknowledged.append(number)
            except psycopg.Error:
                self._stop.wait(0.02)


@contextmanager
def writing(twin: Running, name: str) -> Iterator[Writer]:
    writer = Writer(twin, name)
    try:
        yield writer
    finally:
        writer.stop()


def test_a_forced_failover_there_and_back_loses_nothing_behind_one_address(twin: Running) -> None:
    made = twin.create("orders", MultiAZ=True)
    queue = _subscribed(twin, "orders")
    twin.synced("orders")
    zones = made["AvailabilityZone"], made["SecondaryAvailabilityZone"]
    assert zones[0] != zones[1]
    with writing(twin, "orders") as writer:
        for expected in (zones[::-1], zones):
            writer.more()
            twin.rds().reboot_db_instance(DBInstanceIdentifier="orders", ForceFailover=True)
            now = twin.available("orders")
            assert (now["AvailabilityZone"], now["SecondaryAvailabilityZone"]) == expected
            assert now["Endpoint"] == made["Endpoint"]
            writer.more()
            twin.synced("orders")
    assert writer.lost() == set()
    events = twin.rds().describe_events(SourceIdentifier="orders", SourceType="db-instance")["Events"]
    assert [event["Message"] for event in events].count("Multi-AZ instance failover completed") == 2
    sqs = twin.ground.api.client("sqs", HOME)
    told = [json.loads(item["Body"])["Message"] for item in sqs.receive_message(QueueUrl=queue)["Messages"]]
    assert json.loads(told[0])["Source ID"] == "orders"


def _subscribed(twin: Running, name: str) -> str:
    """A queue that a topic fills with the instance's failovers."""
    api = twin.ground.api
    sns, sqs = api.client("sns", HOME), api.client("sqs", HOME)
    topic = sns.create_topic(Name="events")["TopicArn"]
    queue: str = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    open_to_it = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [open_to_it]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    template = {
        "Resources": {
            "Events": {
                "Type": "AWS::RDS::EventSubscription",
                "Properties": {
                    "SnsTopicArn": topic,
                    "SourceType": "db-instance",
                    "SourceIds": [name],
                    "EventCategories": ["failover"],
                },
            }
        }
    }
    cloudformation = api.client("cloudformation", HOME)
    cloudformation.create_stack(StackName="events", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="events", WaiterConfig={"Delay": 1})
    return queue


def test_a_primary_that_is_killed_is_replaced_by_its_standby(twin: Running) -> None:
    made = twin.create("orders", MultiAZ=True)
    found = twin.synced("orders")
    with writing(twin, "orders") as writer:
        writer.more()
        kill(found.primary.pid)
        until("the zone changes", lambda: twin.describe("orders")["AvailabilityZone"] != made["AvailabilityZone"])
        writer.more()
        twin.synced("orders")
        kill(found.primary.pid)
        until("and back", lambda: twin.describe("orders")["AvailabilityZone"] == made["AvailabilityZone"])
        writer.more()
    assert writer.lost() == set()


def test_commits_go_on_when_the_standby_is_killed_or_silent(twin: Running) -> None:
    twin.create("orders", MultiAZ=True)
    found = twin.synced("orders")
    with writing(twin, "orders") as writer:
        kill(found.standby.server.pid)
        writer.more(200)
        twin.synced("orders")
        frozen = _working_in(found.standby.server.data)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        until("commits wait no more", lambda: not found.state.synchronous, twin.loop)
        writer.more()
        assert not found.standby.may_take_over, "it has not what was written since"
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        twin.synced("orders")
        assert found.state.synchronous
    assert writer.lost() == set()


def test_a_standby_comes_and_goes_as_it_is_asked_for(twin: Running) -> None:
    twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    rds = twin.rds()
    rds.modify_db_instance(DBInstanceIdentifier="orders", MultiAZ=True, ApplyImmediately=True)
    made = twin.available("orders")
    assert made["SecondaryAvailabilityZone"] != made["AvailabilityZone"]
    standby = twin.synced("orders").standby
    rds.reboot_db_instance(DBInstanceIdentifier="orders", ForceFailover=True)
    twin.available("orders")
    assert twin.query("orders", "SELECT a FROM kept") == [(1,)]
    rds.modify_db_instance(DBInstanceIdentifier="orders", MultiAZ=False, ApplyImmediately=True)
    assert "SecondaryAvailabilityZone" not in twin.available("orders")
    assert not standby.server.exists
    twin.query("orders", "INSERT INTO kept VALUES (2)")


def test_a_primary_that_hangs_is_replaced_by_its_standby(twin: Running) -> None:
    made = twin.create("orders", MultiAZ=True)
    found = twin.synced("orders")
    with writing(twin, "orders") as writer:
        writer.more()
        for pid in _working_in(found.primary.data):
            os.kill(pid, signal.SIGSTOP)
        until("the zone changes", lambda: twin.describe("orders")["AvailabilityZone"] != made["AvailabilityZone"])
        writer.more()
    assert writer.lost() == set()
