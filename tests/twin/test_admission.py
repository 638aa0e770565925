"""Who may connect to whom on a deployment of the real templates, and what each wiring fault of the network breaks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from bicoastal.blueprint.stacks import compose
from bicoastal.core.errors import SystemFault
from bicoastal.reach import described
from bicoastal.reach.verdict import Barrier
from bicoastal.spec.model import Spec
from bicoastal.twin.admission import Admission
from bicoastal.twin.api import Api
from bicoastal.twin.cloud.process import Cloud
from bicoastal.twin.interfaces import balancer_name, database_name, instance_name
from bicoastal.twin.network_state import read
from tests.support.cloudformation import Account, Walker, until
from tests.support.specs import spec
from tests.support.wiring import Edit, fault, with_resource, without

EAST, WEST = "us-east-1", "us-west-2"


@dataclass
class Deployed:
    """A deployment of the templates with an instance of the fleet in each region, and who is asked about it."""

    walker: Walker
    admission: Admission
    instances: dict[str, str]

    def output(self, region: str, name: str) -> str:
        return self.walker.outputs[f"network/{region}"][name]

    def instance(self, region: str = EAST) -> str:
        return instance_name(region, self.instances[region])

    def database(self, region: str = EAST) -> str:
        found = self.walker.account.client("rds", region).describe_db_instances()["DBInstances"]
        return database_name(region, found[0]["DBInstanceIdentifier"])

    def balancer(self, region: str = EAST) -> str:
        found = self.walker.account.client("elbv2", region).describe_load_balancers()["LoadBalancers"]
        return balancer_name(region, found[0]["LoadBalancerArn"])

    def resource(self, stack: str, logical_id: str) -> str:
        """The physical id of a stack's resource."""
        entry = next(item for item in self.walker.manifest.stacks if item.id == stack)
        found = self.walker.account.client("cloudformation", entry.region).describe_stack_resource(
            StackName=entry.name, LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    @contextmanager
    def faulty(self, stack: str, edit: Edit) -> Iterator[None]:
        with fault(self.walker, stack, edit):
            self.admission.refresh()
            yield
        self.admission.refresh()


@contextmanager
def deployed(of: Spec, cloud: Cloud) -> Iterator[Deployed]:
    account, made = Account(cloud.endpoint), compose(of)
    walker = Walker(account, made.manifest, {f"templates/{stack.kind}.yaml": stack.to_yaml() for stack in made.stacks})
    walker.up()
    instances = {}
    for region in (EAST, WEST):
        outputs = walker.outputs[f"network/{region}"]
        instances[region] = account.client("ec2", region).run_instances(
            MinCount=1,
            MaxCount=1,
            ImageId="ami-00000000000000000",
            SubnetId=outputs["ApplicationSubnets"].split(",")[1],
            SecurityGroupIds=[outputs["FleetGroup"]],
        )["Instances"][0]["InstanceId"]
    admission = Admission(Api(cloud.endpoint, (EAST, WEST)))
    try:
        yield Deployed(walker, admission, instances)
    finally:
        admission.close()


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with Cloud(tmp_path_factory.mktemp("cloud")) as cloud, deployed(spec(), cloud) as made:
        yield made


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The same without the flow `writes`, and without NAT."""
    of = spec(residency={"flows": []}, egress="endpoints-only")
    with Cloud(tmp_path_factory.mktemp("cloud")) as cloud, deployed(of, cloud) as made:
        yield made


def allowed(at: Deployed, source: str, destination: str, port: int) -> bool:
    return at.admission(source, destination, port).allowed


def barriers(at: Deployed, source: str, destination: str, port: int) -> set[Barrier]:
    return {obstacle.barrier for obstacle in at.admission.explain(source, destination, port).obstacles}


@pytest.mark.parametrize("region", [EAST, WEST])
def test_every_tier_reaches_the_next_one_and_nothing_else(orders: Deployed, region: str) -> None:
    balancer, instance, database = orders.balancer(region), orders.instance(region), orders.database(region)
    for port in (443, 80):
        assert allowed(orders, "internet", balancer, port)
        assert allowed(orders, "", balancer, port), "a stranger on this machine is on the internet"
    for port in (8080, 8099):
        assert allowed(orders, balancer, instance, port)
        assert not allowed(orders, "internet", instance, port)
    assert allowed(orders, instance, database, 5432)
    assert not allowed(orders, "internet", database, 5432)
    assert not allowed(orders, balancer, database, 5432)
    assert not allowed(orders, balancer, instance, 22)
    assert not allowed(orders, database, instance, 8080)
    assert not allowed(orders, database, "internet", 443)


def test_the_instances_of_a_region_write_to_the_database_of_the_other_by_peering(orders: Deployed) -> None:
    for here, there in ((WEST, EAST), (EAST, WEST)):
        found = orders.admission.explain(orders.instance(here), orders.database(there), 5432)
        assert found.allowed
        assert orders.resource(f"peering/{EAST}", "PeeringConnection") in found.passes
        assert not allowed(orders, orders.instance(here), orders.instance(there), 8080)
        assert not allowed(orders, orders.balancer(here), orders.instance(there), 8080)


def test_without_the_flow_they_do_not(closed: Deployed) -> None:
    assert allowed(closed, closed.instance(WEST), closed.database(WEST), 5432)
    found = closed.admission.explain(closed.instance(WEST), closed.database(EAST), 5432)
    assert {Barrier.EGRESS, Barrier.ROUTE, Barrier.INGRESS} <= {obstacle.barrier for obstacle in found.obstacles}
    assert closed.output(WEST, "FleetGroup") in found.why


def test_services_are_reached_by_endpoints_and_by_nat(orders: Deployed) -> None:
    def passes(service: str, region: str = EAST) -> tuple[str, ...]:
        return orders.admission.explain(orders.instance(), f"service/{region}/{service}", 443).passes

    assert orders.resource(f"network/{EAST}", "StorageEndpoint") in passes("s3")
    for service, endpoint in (
        ("secretsmanager", "SecretsManagerEndpoint"),
        ("ssm", "SystemsManagerEndpoint"),
        ("ssmmessages", "SessionMessagesEndpoint"),
        ("logs", "LogsEndpoint"),
        ("monitoring", "MetricsEndpoint"),
        ("cloudwatch", "MetricsEndpoint"),
    ):
        assert orders.resource(f"network/{EAST}", endpoint) in passes(service), service
    assert orders.resource(f"network/{EAST}", "EndpointGroup") in passes("logs")
    nat = orders.resource(f"network/{EAST}", "NatGatewayB")
    assert nat in passes("cloudformation")
    assert nat in passes("s3", WEST)
    assert nat in orders.admission.explain(orders.instance(), "internet", 443).passes
    assert not allowed(orders, orders.instance(), "internet", 25)
    assert allowed(orders, orders.instance(), orders.balancer(WEST), 443), "its name leads to public addresses"
    assert allowed(orders, "internet", f"service/{EAST}/s3", 443)


def test_without_nat_by_endpoints_alone(closed: Deployed) -> None:
    for service in ("s3", "secretsmanager", "logs", "monitoring"):
        assert allowed(closed, closed.instance(), f"service/{EAST}/{service}", 443), service
    assert barriers(closed, closed.instance(), "internet", 443) == {Barrier.ROUTE}
    assert barriers(closed, closed.instance(), f"service/{WEST}/s3", 443) == {Barrier.ROUTE}
    assert barriers(closed, closed.instance(), closed.balancer(), 443) == {Barrier.ROUTE}


# The wiring faults of the network: put into a copy of the templates, and deployed.


def test_fault_a_balancer_that_the_targets_group_does_not_let_in(orders: Deployed) -> None:
    ask = (orders.balancer(), orders.instance(), 8080)
    with orders.faulty(f"network/{EAST}", without("BalancerToApplicationIngress")):
        found = orders.admission.explain(*ask)
        assert [obstacle.barrier for obstacle in found.obstacles] == [Barrier.INGRESS]
        assert found.obstacles[0].resource == orders.output(EAST, "FleetGroup")
        assert "no inbound rule for tcp/8080" in orders.admission(*ask).why
        assert allowed(orders, orders.balancer(), orders.instance(), 8099), "the gate is not touched"
        assert allowed(orders, orders.balancer(WEST), orders.instance(WEST), 8080), "nor is the other region"
    assert allowed(orders, *ask)


def test_fault_peering_without_a_return_route(orders: Deployed) -> None:
    ask = (orders.instance(WEST), orders.database(EAST), 5432)
    with orders.faulty(f"peering/{EAST}", without("DataToOtherApplicationRoute")):
        found = orders.admission.explain(*ask)
        assert [obstacle.barrier for obstacle in found.obstacles] == [Barrier.RETURN_ROUTE]
        assert found.obstacles[0].resource == orders.output(EAST, "DataRouteTable")
        assert "has no route back to" in found.why
        assert allowed(orders, orders.instance(EAST), orders.database(WEST), 5432), "the other way is another route"
    assert allowed(orders, *ask)


TO_THE_INTERNET = """
DataDefaultRoute:
  Type: AWS::EC2::Route
  DependsOn: InternetGatewayAttachment
  Properties:
    RouteTableId: !Ref DataRouteTable
    DestinationCidrBlock: 0.0.0.0/0
    GatewayId: !Ref InternetGateway
"""


@contextmanager
def careless(at: Deployed) -> Iterator[None]:
    """Somebody opened the database's group and ACL to everybody, and made it public: the routes alone protect it."""
    ec2, rds = at.walker.account.client("ec2", EAST), at.walker.account.client("rds", EAST)
    everybody = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    group, acl = at.output(EAST, "DatabaseGroup"), at.output(EAST, "DataNetworkAcl")
    identifier = at.database().rpartition("/")[2]
    entry = {"NetworkAclId": acl, "RuleNumber": 10, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everybody])
    for egress in (False, True):
        ec2.create_network_acl_entry(Egress=egress, **entry)
    rds.modify_db_instance(DBInstanceIdentifier=identifier, PubliclyAccessible=True, ApplyImmediately=True)
    at.admission.refresh()
    try:
        yield
    finally:
        rds.modify_db_instance(DBInstanceIdentifier=identifier, PubliclyAccessible=False, ApplyImmediately=True)
        for egress in (False, True):
            ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=10, Egress=egress)
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[everybody])
        at.admission.refresh()


def test_fault_database_subnets_that_are_routed_to_the_internet(orders: Deployed) -> None:
    into, out_of = ("internet", orders.database(), 5432), (orders.database(), "internet", 443)
    assert Barrier.RETURN_ROUTE in barriers(orders, *into)
    assert Barrier.ROUTE in barriers(orders, *out_of)
    with careless(orders):
        assert barriers(orders, *into) == {Barrier.RETURN_ROUTE}
    with orders.faulty(f"network/{EAST}", with_resource(TO_THE_INTERNET)):
        assert Barrier.RETURN_ROUTE not in barriers(orders, *into)
        assert Barrier.ROUTE not in barriers(orders, *out_of)
        assert not allowed(orders, *into), "address, ACL and group still keep it"
        with careless(orders):
            assert allowed(orders, *into)
    assert Barrier.RETURN_ROUTE in barriers(orders, *into)


# How fresh an answer is, and what it costs.


def test_what_is_new_is_known_and_what_is_gone_is_said(orders: Deployed) -> None:
    assert allowed(orders, orders.instance(), orders.database(), 5432)
    ec2 = orders.walker.account.client("ec2", EAST)
    new = ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        ImageId="ami-00000000000000000",
        SubnetId=orders.output(EAST, "ApplicationSubnets").split(",")[0],
        SecurityGroupIds=[orders.output(EAST, "FleetGroup")],
    )["Instances"][0]["InstanceId"]
    name = instance_name(EAST, new)
    assert allowed(orders, name, orders.database(), 5432), "nobody told that there is one"
    ec2.terminate_instances(InstanceIds=[new])
    orders.admission.changed()
    for _ in until("the end of the instance is known"):
        verdict = orders.admission(name, orders.database(), 5432)
        if not verdict.allowed:
            break
    assert (verdict.allowed, verdict.why) == (False, f"instance {new} is terminated")
    verdict = orders.admission("instance/us-east-1/i-0", orders.database(), 5432)
    assert (verdict.allowed, verdict.why) == (False, "instance/us-east-1/i-0 is not known to the API")
    assert [item.source for item in orders.admission.refusals[-2:]] == [name, "instance/us-east-1/i-0"]


def test_a_no_is_looked_at_again_where_nobody_tells_of_changes(orders: Deployed) -> None:
    admission = Admission(Api(orders.walker.account.endpoint, (EAST, WEST)))
    ec2, group = orders.walker.account.client("ec2", EAST), orders.output(EAST, "FleetGroup")
    ask = (orders.balancer(), orders.instance(), 9000)
    assert not admission(*ask).allowed
    inward = {"IpProtocol": "tcp", "FromPort": 9000, "ToPort": 9000, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[inward])
    outward = {**inward, "IpRanges": [], "UserIdGroupPairs": [{"GroupId": group}]}
    balancers = orders.output(EAST, "BalancerGroup")
    ec2.authorize_security_group_egress(GroupId=balancers, IpPermissions=[outward])
    try:
        assert admission(*ask).allowed
    finally:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[inward])
        ec2.revoke_security_group_egress(GroupId=balancers, IpPermissions=[outward])
    for _ in until("the rules are gone"):
        if not admission(*ask).allowed:
            break
    admission.close()


def test_a_reading_is_what_the_describe_actions_say(orders: Deployed) -> None:
    for region in (EAST, WEST):
        client = orders.walker.account.client
        answers = {
            name: getattr(client("ec2", region), action)()[name]
            for name, action in {**described.LISTS, "PrefixLists": "describe_prefix_lists"}.items()
        }
        state = read(Api(orders.walker.account.endpoint, (EAST, WEST)), 0)
        assert described.region(region, answers) == state.network.regions[region]
        assert described.peerings([answers]) == state.network.peerings


def test_answers_are_cheap(orders: Deployed) -> None:
    ask = (orders.instance(WEST), orders.database(EAST), 5432)
    assert allowed(orders, *ask)
    before = time.process_time()
    orders.admission.refresh()
    assert time.process_time() - before < 0.3
    before = time.process_time()
    for _ in range(200):
        assert allowed(orders, *ask)
    assert time.process_time() - before < 0.2


def test_without_an_answer_of_the_api_the_last_reading_holds(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        endpoint = cloud.endpoint
        admission = Admission(Api(endpoint, (EAST, WEST)))
        assert admission("internet", "internet", 443).allowed
    try:
        assert admission("internet", "internet", 443).allowed
        admission.changed()
        for _ in until("the trouble is known"):
            assert admission("internet", "internet", 443).allowed
            admission("internet", "database/us-east-1/unknown", 5432)
            if admission.trouble:
                break
        assert "does not answer" in admission.trouble
        with pytest.raises(SystemFault):
            admission.refresh()
        fresh = Admission(Api(endpoint, (EAST,)))
        assert "not known yet" in fresh("internet", "internet", 443).why
        fresh.close()
    finally:
        admission.close()
