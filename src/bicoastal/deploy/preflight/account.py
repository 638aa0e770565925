"""Whether these credentials work in both regions, for one account, and whether that account has what is needed."""

from __future__ import annotations

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import Refused
from bicoastal.deploy.package import Package
from bicoastal.deploy.preflight.problem import Problem
from bicoastal.deploy.survey import Views


def account_of(session: Session, package: Package) -> str:
    """The account that both regions' STS endpoints say. Raises SystemFault or Refused: nothing goes without it."""
    accounts = {}
    for region in package.manifest.regions:
        with aws_faults(f"asking in {region} whose credentials these are"):
            accounts[region] = str(session.client("sts", region).get_caller_identity()["Account"])
    if len(set(accounts.values())) > 1:
        told = ", ".join(f"{region} {account}" for region, account in accounts.items())
        raise Refused(
            f"The regions answer for different accounts: {told}.\n    -> Check AWS_PROFILE and AWS_ENDPOINT_URL."
        )
    return next(iter(accounts.values()))


def regions_enabled(session: Session, package: Package, views: Views) -> list[Problem]:
    """Regions that came after 2019 have to be enabled in an account."""
    del views
    problems = []
    with aws_faults("asking which regions are enabled"):
        answer = session.client("ec2", package.home).describe_regions(
            AllRegions=True, RegionNames=list(package.manifest.regions)
        )
    states = {region["RegionName"]: region.get("OptInStatus", "") for region in answer["Regions"]}
    for region in package.manifest.regions:
        if states.get(region) == "not-opted-in":
            problems.append(
                Problem(
                    f"{region} is not enabled in this account.\n"
                    f"    -> aws account enable-region --region-name {region} (takes some minutes)"
                )
            )
    return problems


def backup_opt_in(session: Session, package: Package, views: Views) -> list[Problem]:
    """AWS Backup leaves databases alone until the account opts in, in each region. That is the account's to decide."""
    del views
    if not package.entries("backup"):
        return []
    problems = []
    for region in package.manifest.regions:
        try:
            with aws_faults(f"asking whether AWS Backup may back up databases in {region}"):
                settings = session.client("backup", region).describe_region_settings()
        except ApiFault as fault:
            problems.append(Problem(f"unknown: {str(fault).splitlines()[0]}", stops=False))
            continue
        if settings.get("ResourceTypeOptInPreference", {}).get("RDS") is False:
            problems.append(
                Problem(
                    f"{region}: AWS Backup has not been told to back up RDS databases: the backup plan would select "
                    "nothing.\n    -> aws backup update-region-settings --region "
                    f"{region} --resource-type-opt-in-preference RDS=true (a setting of the whole account)"
                )
            )
    return problems
