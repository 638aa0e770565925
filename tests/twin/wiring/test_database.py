"""Faults around a real database: who gets to it, who does not any more, and a replica that RDS refuses."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from botocore.exceptions import ClientError

from bicoastal.cfn.manifest import FromOutput
from bicoastal.core.errors import SystemFault
from bicoastal.reach.verdict import Barrier
from bicoastal.twin.admission import Admission
from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.processes import Process, Program, end_leftovers
from tests.support.cloudformation import StackFailed, Walker
from tests.support.specs import spec
from tests.support.wiring import walker_of, with_resource, without
from tests.twin.conftest import REGIONS
from tests.twin.databases.conftest import Running
from tests.twin.test_admission import TO_THE_INTERNET, Deployed, careless

pytestmark = pytest.mark.postgres
HOME, STANDBY = REGIONS
NAME = "orders-production-db-g1"
_ASKS_FOR_TLS = "exec 3<>/dev/tcp/{}/5432; printf '\\0\\0\\0\\10\\4\\322\\26\\57' >&3; head -c 1 <&3"
"""PostgreSQL's question; S is its answer."""


@dataclass
class Site:
    """The home region's database as deployed, with an instance in each region, and the network evaluated."""

    ground: Ground
    running: Running
    deployed: Deployed

    @property
    def walker(self) -> Walker:
        return self.deployed.walker

    def ask_from(self, owner: str, within_s: float) -> str:
        """What a program of an instance hears from the database."""
        at = self.running.describe(NAME)["Endpoint"]["Address"]
        log = self.ground.home.log("client")
        log.unlink(missing_ok=True)
        process = Process(
            self.ground.home, Program("client", ("/bin/bash", "-c", _ASKS_FOR_TLS.format(at)), owner=owner), log
        )
        process.start()
        with contextlib.suppress(SystemFault):
            process.wait_until_ended(within_s)
        return log.read_text()

    def sign_in(self, within_s: int) -> list[tuple[object, ...]]:
        """As somebody on the internet who has learned the master's password."""
        secrets = self.ground.api.client("secretsmanager", HOME)
        arn = self.walker.outputs[f"secrets/{HOME}"]["MasterCredentialsArn"]
        master = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
        given = {"user": master["username"], "password": master["password"], "connect_timeout": within_s}
        with self.running.connect(NAME, **given) as session:
            return session.execute("SELECT current_user::text").fetchall()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        made = stack.enter_context(ground(root, ("databases",), REGIONS))
        stack.callback(end_leftovers, made.home, 1)
        admission = Admission(made.api)
        stack.callback(admission.close)
        running = Running(made, admission)
        stack.callback(running.stop)
        walker = walker_of(spec(), made, f"database/{HOME}", f"peering/{HOME}", f"peering/{STANDBY}")
        walker.up()
        instances = {}
        for region in REGIONS:
            network = walker.outputs[f"network/{region}"]
            instances[region] = made.api.client("ec2", region).run_instances(
                MinCount=1,
                MaxCount=1,
                ImageId="ami-00000000000000000",
                SubnetId=network["ApplicationSubnets"].split(",")[0],
                SecurityGroupIds=[network["FleetGroup"]],
            )["Instances"][0]["InstanceId"]
        admission.refresh()
        yield Site(made, running, Deployed(walker, admission, instances))


def test_3_database_subnets_routed_to_the_internet(site: Site) -> None:
    """Whoever opens the group by mistake has opened the database to the world: the routes alone would have kept it."""
    at = site.deployed
    with careless(at), pytest.raises(psycopg.errors.ConnectionTimeout):
        site.sign_in(2)
    with at.faulty(f"network/{HOME}", with_resource(TO_THE_INTERNET)):
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            site.sign_in(2)
        with careless(at):
            assert site.sign_in(20) == [("bicoastal_admin",)]


def test_9_replica_with_another_regions_key(site: Site) -> None:
    """RDS refuses it, and the stack says why; with its own region's key it is made, and follows."""
    replica = f"database/{STANDBY}"
    sound = replace(walker_of(spec(), site.ground, replica), outputs=site.walker.outputs)
    entry = next(item for item in sound.manifest.stacks if item.id == replica)
    wired = {**entry.parameters, "DataKeyArn": FromOutput(f"foundation/{HOME}", "DataKeyArn")}
    wrong = replace(entry, parameters=wired)
    with pytest.raises(StackFailed, match=rf"DatabaseInstance: The KMS key 'arn:aws:kms:{HOME}:.*' does not exist"):
        sound.create(wrong)
    rds = site.running.rds(STANDBY)
    with pytest.raises(ClientError, match="KMSKeyNotAccessibleFault"):
        rds.create_db_instance_read_replica(
            DBInstanceIdentifier="by-hand",
            SourceDBInstanceIdentifier=site.running.describe(NAME)["DBInstanceArn"],
            KmsKeyId=site.walker.outputs[f"foundation/{HOME}"]["DataKeyArn"],
        )
    assert rds.describe_db_instances()["DBInstances"] == []
    sound.delete(wrong)

    sound.create(entry)
    found = site.running.describe(NAME, STANDBY)
    assert found["KmsKeyId"].split(":")[3] == STANDBY
    assert found["ReadReplicaSourceDBInstanceIdentifier"] == site.running.describe(NAME)["DBInstanceArn"]
    assert [(info["StatusType"], info["Status"]) for info in found["StatusInfos"]] == [
        ("read replication", "replicating")
    ]


def test_12_peering_without_a_return_route(site: Site) -> None:
    """The other region's instances ask, and the database's answers lead nowhere: they wait until they give up."""
    at = site.deployed
    here, there = at.instance(HOME), at.instance(STANDBY)
    assert site.ask_from(there, 20) == "S"
    with at.faulty(f"peering/{HOME}", without("DataToOtherApplicationRoute")):
        assert site.ask_from(there, 3) == ""
        assert at.admission.explain(there, at.database(), 5432).obstacles[0].barrier is Barrier.RETURN_ROUTE
        assert site.ask_from(here, 20) == "S", "the region's own instances notice nothing"
    assert site.ask_from(there, 20) == "S"
