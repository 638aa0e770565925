"""A region in which instances can be launched: network, role, bucket, secrets and launch template, by the API alone."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from bicoastal.blueprint.bundle import application_bundle, kit_bundle, version_of
from bicoastal.twin.controller import Loop
from bicoastal.twin.ground import Ground
from bicoastal.twin.instances.controller import Instances
from bicoastal.twin.instances.machine import Machine
from bicoastal.twin.pace import REAL, Pace
from tests.support.deployed import deployed, service, user_data_text
from tests.support.postgres import MASTER, MASTER_PASSWORD, wait_until
from tests.support.specs import spec
from tests.twin.conftest import Grounds

REGION = "us-east-1"
BUCKET = "artifacts-of-tests"
DEADLINE_S = 40.0
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
SERVER = """\
import http.client, http.server, json, os, subprocess

def metadata():
    connection = http.client.HTTPConnection(os.environ["HOST"], 41080, timeout=5)
    try:
        connection.request("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        return str(connection.getresponse().status)
    except (ConnectionError, http.client.HTTPException):
        return "reset"

def aws():
    return str(subprocess.run(["aws", "sts", "get-caller-identity"], capture_output=True).returncode)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/healthz":
            body = b"fine"
        elif self.path in ("/metadata", "/aws"):
            body = {"/metadata": metadata, "/aws": aws}[self.path]().encode()
        else:
            body = json.dumps(dict(os.environ, PID=str(os.getpid()))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        print("request", self.path, flush=True)

http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@lru_cache(maxsize=1)
def the_kit() -> bytes:
    """The kit's bundle, made once."""
    return kit_bundle()


@dataclass
class Site:
    """What is in the region, and how instances are launched in it."""

    ground: Ground
    controller: Instances
    loop: Loop[Any, Any]
    subnet: str
    group: str
    secrets: dict[str, str] = field(default_factory=dict)

    def client(self, service_name: str) -> Any:
        """Of the account."""
        return self.ground.api.client(service_name, REGION)

    def launch(self, user_data: str, *, profile: bool = True, **more: Any) -> str:
        """Start an instance; its id."""
        template = {
            "ImageId": "ami-0123456789abcdef0",
            "InstanceType": "t3.micro",
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
            "SecurityGroupIds": [self.group],
            "UserData": base64.b64encode(user_data.encode()).decode(),
            **({"IamInstanceProfile": {"Name": "instance"}} if profile else {}),
            **more,
        }
        ec2 = self.client("ec2")
        name = f"template-{time.monotonic_ns()}"
        made = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=template)
        chosen = {"LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"], "Version": "1"}
        answer = ec2.run_instances(LaunchTemplate=chosen, SubnetId=self.subnet, MinCount=1, MaxCount=1)
        self.loop.poke()
        return str(answer["Instances"][0]["InstanceId"])

    def state(self, id_: str) -> str:
        """As DescribeInstances has it."""
        answer = self.client("ec2").describe_instances(InstanceIds=[id_])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def booted(self, id_: str, deadline_s: float = DEADLINE_S) -> Machine:
        """The machine, when its boot is over."""

        def done() -> bool:
            found = self.controller.find(REGION, id_)
            return isinstance(found, Machine) and found.booted.is_set()

        wait_until(f"{id_} has booted", done, deadline_s)
        found = self.controller.find(REGION, id_)
        assert isinstance(found, Machine)
        return found

    def healthy(self, machine: Machine, port: int = 8080, path: str = "/healthz") -> float:
        """Wait until the application answers; seconds."""
        return wait_until(
            f"{machine.id} answers\n{console(machine)}",
            lambda: get(machine.address, port, path) is not None,
            DEADLINE_S,
        )

    def ship(self, application: Path, certificates: bytes | None = None) -> dict[str, str]:
        """Put the bundles into the bucket; the parameters that name them."""
        bundle = application_bundle(application)
        versions = {"KitVersion": version_of(the_kit()), "ApplicationVersion": version_of(bundle)}
        s3 = self.client("s3")
        s3.put_object(Bucket=BUCKET, Key=f"kits/{versions['KitVersion']}.tar.gz", Body=the_kit())
        s3.put_object(Bucket=BUCKET, Key=f"applications/{versions['ApplicationVersion']}.tar.gz", Body=bundle)
        authority = certificates or self.ground.authority.certificate.read_bytes()
        s3.put_object(Bucket=BUCKET, Key="ca/rds.pem", Body=authority)
        return versions

    def user_data(self, application: Path, *, port: int = 5432, certificates: bytes | None = None, **app: Any) -> str:
        """That of the service's launch template; the application's bundle is in the bucket then.

        `port` is the database's; `app` is that part of the spec.
        """
        versions = self.ship(application, certificates)
        return self.filled(user_data_text(service(spec(app=app), **versions).resources["LaunchTemplate"]), port)

    def bootstrap_data(self, application: Path, *, port: int, certificates: bytes, **app: Any) -> str:
        """That of the bootstrap's launch template."""
        stack = "bootstrap/us-east-1"
        versions = {(stack, name): value for name, value in self.ship(application, certificates).items()}
        template = deployed(spec(app=app), versions).stacks[stack].resources["BootstrapTemplate"]
        return self.filled(user_data_text(template), port)

    def filled(self, text: str, port: int) -> str:
        """With what is here in the place of what AWS names at creation."""
        account = "arn:aws:secretsmanager:us-east-1:123456789012:secret:secrets/us-east-1"
        for hole, value in {
            "foundation/us-east-1.ArtifactBucket": BUCKET,
            "database/us-east-1.DatabaseInstance": "127.0.0.1",
            "database/us-west-2.DatabaseInstance": "127.0.0.1",
            **{f"{account}.{name.capitalize()}Secret": arn for name, arn in self.secrets.items()},
            '"port": "5432"': f'"port": "{port}"',
            "orders-production-service": "nobody-waits",
        }.items():
            text = text.replace(hole, value)
        assert "foundation/" not in text
        assert "secrets/us-east-1." not in text
        return text


def get(address: str, port: int, path: str) -> bytes | None:
    """What an instance answers; None while it does not answer 200."""
    try:
        with urllib.request.urlopen(f"http://{address}:{port}{path}", timeout=2) as answer:
            return bytes(answer.read())
    except OSError:
        return None


def console(machine: Machine) -> str:
    """For messages of tests."""
    parts = [machine.console.read_text()]
    for path in sorted(machine.root.rglob("*.log")):
        parts.append(f"--- {path}\n{path.read_text(errors='replace')[-1500:]}")
    return "\n".join(parts)


POLICY: Mapping[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"},
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
        {"Effect": "Allow", "Action": ["cloudformation:SignalResource", "ec2:DescribeInstances"], "Resource": "*"},
        {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"},
    ],
}
"""What an instance of tests may do."""

Sites = Callable[..., Site]


@pytest.fixture
def sites(grounds: Grounds) -> Iterator[Sites]:
    """Makes a site with its controller running; all end with the test."""
    loops: list[Loop[Any, Any]] = []

    def make(pace: Pace = REAL, folder: Path | None = None, **rooms: Any) -> Site:
        site = prepared(grounds("instances", pace=pace, folder=folder), **rooms)
        loops.append(site.loop)
        return site

    yield make
    for loop in loops:
        loop.stop()


@pytest.fixture
def site(sites: Sites) -> Site:
    """One at the real pace."""
    return sites()


def prepared(ground: Ground, **rooms: Any) -> Site:
    """Network, role, bucket and secrets, made once for a folder; and the controller."""
    ec2 = ground.api.client("ec2", REGION)
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.7.0.0/16"]}])["Vpcs"]
    if not vpcs:
        _make(ground)
        vpcs = ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.7.0.0/16"]}])["Vpcs"]
    where = [{"Name": "vpc-id", "Values": [vpcs[0]["VpcId"]]}]
    subnet = ec2.describe_subnets(Filters=where)["Subnets"][0]["SubnetId"]
    group = next(
        item["GroupId"] for item in ec2.describe_security_groups(Filters=where)["SecurityGroups"]
        if item["GroupName"] == "fleet"
    )  # fmt: skip
    secrets = {
        item["Name"]: item["ARN"] for item in ground.api.client("secretsmanager", REGION).list_secrets()["SecretList"]
    }
    controller = Instances(ground, **rooms)
    loop: Loop[Any, Any] = Loop(controller, 0.5)
    loop.start()
    return Site(ground, controller, loop, subnet, group, secrets)


def _make(ground: Ground) -> None:
    ec2 = ground.api.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.16.0/20", AvailabilityZone="us-east-1b")
    ec2.create_security_group(GroupName="fleet", Description="Instances", VpcId=vpc)
    iam = ground.api.client("iam", REGION)
    iam.create_role(RoleName="instance", AssumeRolePolicyDocument=json.dumps(TRUST))
    document = json.dumps(POLICY)
    iam.put_role_policy(RoleName="instance", PolicyName="instance", PolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName="instance")
    iam.add_role_to_instance_profile(InstanceProfileName="instance", RoleName="instance")
    ground.api.client("s3", REGION).create_bucket(Bucket=BUCKET)
    secrets = ground.api.client("secretsmanager", REGION)
    for name in ("master", "owner", "app", "kit"):
        login = (MASTER, MASTER_PASSWORD) if name == "master" else (name, f"{name}-password-of-tests")
        value = json.dumps(dict(zip(("username", "password"), login, strict=True)))
        secrets.create_secret(Name=name, SecretString=value)
