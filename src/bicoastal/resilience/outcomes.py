"""Every failure that is reckoned, from the smallest to a whole region, with what it comes to.

The arithmetic is in `local_loss` and `region_loss`; this module asks them for each region of a deployment.
"""

from __future__ import annotations

from bicoastal.cfn.deployment import Deployment
from bicoastal.kit.config import Intervals
from bicoastal.resilience.figures import Figure
from bicoastal.resilience.local_loss import Outcome, instance_lost, primary_lost
from bicoastal.resilience.region_loss import on_aws, values_of

DRAIN_S = 10.0
"""The default of `bicoastal failover --drain`."""
_DATABASE = "AWS::RDS::DBInstance"


def outcomes(deployment: Deployment) -> list[Outcome]:
    """All of them, region by region."""
    found: list[Outcome] = []
    for region in deployment.regions:
        found += [*instance_lost(deployment, region), *primary_lost(deployment, region)]
        found += region_lost(deployment, region)
    return found


def region_lost(deployment: Deployment, region: str) -> list[Outcome]:
    """Users of a lost region, and writes where the primary stood there."""
    serving = ("AWS::ElasticLoadBalancingV2::LoadBalancer", _DATABASE)
    if not deployment.of_type(*serving, region=region):
        return []
    elsewhere = [name for name in deployment.regions if name != region and deployment.of_type(*serving, region=name)]
    if not elsewhere:
        why = "nothing stands in another region"
        return [Outcome("the region", region, "everything", (), None, None, why)]
    fenced = any(
        record.get("Type") == "TXT" and str(record.get("Name")).startswith(f"witness.{region}.")
        for record in deployment.of_type("AWS::Route53::RecordSet")
    )
    values = values_of(
        deployment, region, isolation_s=Intervals().isolation if fenced else 0.0, drain_s=DRAIN_S, black_hole=True
    )
    if values is None:
        why = f"no health check asks the load balancer of {region}"
        found = [Outcome("the region", region, "requests of its users", (), None, None, why)]
        prediction = None
    else:
        prediction = on_aws(values)
        found = [
            Outcome(
                "the region", region, "requests of its users", (values.detection, values.ttl), prediction.reads, None
            )
        ]
    return [*found, *_writes(deployment, region, elsewhere, prediction.figures[-3:] if prediction else (),
                             prediction.writes if prediction else None)]  # fmt: skip


def _writes(
    deployment: Deployment, region: str, elsewhere: list[str], phases: tuple[Figure, ...], rto: Figure | None
) -> list[Outcome]:
    here = [
        item for item in deployment.of_type(_DATABASE, region=region) if item.get("SourceDBInstanceIdentifier") is None
    ]
    if not here:
        return []
    replicas = [
        item
        for name in elsewhere
        for item in deployment.of_type(_DATABASE, region=name)
        if item.get("SourceDBInstanceIdentifier") is not None
    ]
    if not replicas:
        why = "no replica of the database stands in another region: its backups, if they are copied, must be restored"
        return [Outcome("the region", region, "writes", (), None, None, why)]
    lag = Figure(
        "acknowledged writes lost",
        0,
        None,
        "the replica's lag when the region is lost: replication is asynchronous, and nothing in a template bounds it;"
        f" {_watched(deployment, replicas[0].region)}",
    )
    why = "" if rto else f"no health check asks the load balancer of {region}: when it is noticed is not known"
    return [Outcome("the region", region, "writes, by the operator's command", phases, rto, lag, why)]


def _watched(deployment: Deployment, region: str) -> str:
    """The alarm that tells of a lag."""
    found = []
    for alarm in deployment.of_type("AWS::CloudWatch::Alarm", region=region):
        try:
            threshold = float(alarm.get("Threshold"))
        except (TypeError, ValueError):
            continue
        if alarm.get("MetricName") == "ReplicaLag":
            found.append((threshold, f"{alarm.stack.template.file}: {alarm.logical_id}"))
    if not found:
        return "no alarm on ReplicaLag tells of it"
    threshold, where = min(found)
    return f"an alarm tells of more than {threshold:g} s ({where})"
