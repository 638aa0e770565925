"""What runs an application in another way than a fleet of instances: named, and not looked into.

A row that asks for a fleet must not say "nothing is there" of somebody's containers.
"""

from __future__ import annotations

from bicoastal.cfn.deployment import Deployment, Resource

RUNNERS = {
    "AWS::ECS::Service": "a service of ECS",
    "AWS::EKS::Cluster": "a cluster of EKS",
    "AWS::AppRunner::Service": "a service of App Runner",
    "AWS::ElasticBeanstalk::Environment": "an environment of Elastic Beanstalk",
    "AWS::ApiGateway::RestApi": "an API",
    "AWS::ApiGatewayV2::Api": "an API",
    "AWS::Serverless::Api": "an API",
    "AWS::Serverless::HttpApi": "an API",
    "AWS::Lambda::Url": "a function with an address of its own",
}


def runners(deployment: Deployment, region: str) -> list[tuple[Resource, str]]:
    """What runs in a region, and how, the likeliest to serve users first."""
    return [(item, RUNNERS[name]) for name in RUNNERS for item in deployment.of_type(name, region=region)]
