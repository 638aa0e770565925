"""Who is sent where: the templates' records and checks, answered by Route 53's rules, in every state of both."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from bicoastal.blueprint.names import region_name, witness_name
from bicoastal.cfn.manifest import FromOutput, Live
from tests.support.regions import BALANCER, HOME, STANDBY, Built, State, answers, build, records_of
from tests.support.route53 import Json
from tests.support.specs import spec

EAST, WEST = (HOME, STANDBY), (STANDBY, HOME)
"""Users, by the regions that are near to them."""
ALL = Fraction(1)

NEAREST = build(spec())
FAILOVER = build(spec(routing="failover"))


def sent(built: Built, state: State, near: tuple[str, str]) -> dict[str, Fraction]:
    """Share of these users for each region, by the public name."""
    regions = {balancer: region for region, balancer in BALANCER.items()}
    found = answers(built, state).ask("orders.example.com", near=near)
    return {regions[balancer]: share for balancer, share in found.items()}


class TestNearest:
    """Users go to the nearer region."""

    def test_everybody_goes_to_the_nearer_region(self) -> None:
        assert sent(NEAREST, State(), EAST) == {HOME: ALL}
        assert sent(NEAREST, State(), WEST) == {STANDBY: ALL}

    @pytest.mark.parametrize(("quiet", "stay"), [(4, 4), (3, 3), (2, 2), (1, 1), (0, 0)])
    def test_a_full_standby_sends_its_users_home_a_quarter_at_a_time(self, quiet: int, stay: int) -> None:
        found = sent(NEAREST, State().full(quiet), WEST)
        assert found.get(STANDBY, 0) == Fraction(stay, 4)
        assert found.get(HOME, 0) == Fraction(4 - stay, 4)
        assert sent(NEAREST, State().full(quiet), EAST) == {HOME: ALL}

    def test_a_busy_standby_that_can_still_grow_keeps_its_users(self) -> None:
        assert sent(NEAREST, State(quiet_slices=0), WEST) == {STANDBY: ALL}

    def test_a_standby_at_its_maximum_that_is_quiet_keeps_its_users(self) -> None:
        assert sent(NEAREST, State(at_maximum=True), WEST) == {STANDBY: ALL}

    @pytest.mark.parametrize("near", [EAST, WEST])
    @pytest.mark.parametrize("quiet", range(5))
    def test_a_lost_home_gets_nobody_however_full_the_standby_is(self, near: tuple[str, str], quiet: int) -> None:
        assert sent(NEAREST, State().lost(HOME).full(quiet), near) == {STANDBY: ALL}

    @pytest.mark.parametrize("near", [EAST, WEST])
    @pytest.mark.parametrize("quiet", range(5))
    def test_a_lost_standby_gets_nobody(self, near: tuple[str, str], quiet: int) -> None:
        assert sent(NEAREST, State().lost(STANDBY).full(quiet), near) == {HOME: ALL}

    @pytest.mark.parametrize("near", [EAST, WEST])
    def test_a_home_that_comes_back_after_a_takeover_gets_nobody_even_from_a_full_standby(
        self, near: tuple[str, str]
    ) -> None:
        assert sent(NEAREST, State().taken_over(STANDBY), near) == {STANDBY: ALL}
        assert sent(NEAREST, State().taken_over(STANDBY).full(), near) == {STANDBY: ALL}

    def test_when_both_are_lost_each_user_is_sent_to_the_nearer_region(self) -> None:
        assert sent(NEAREST, State().lost(HOME, STANDBY), EAST) == {HOME: ALL}
        assert sent(NEAREST, State().lost(HOME, STANDBY), WEST) == {STANDBY: ALL}

    def test_a_standby_that_falls_while_it_has_taken_over_leaves_home_to_answer(self) -> None:
        assert sent(NEAREST, State().taken_over(STANDBY).lost(STANDBY), WEST) == {HOME: ALL}


class TestFailoverRouting:
    """Users go to the primary region."""

    @pytest.mark.parametrize("near", [EAST, WEST])
    def test_everybody_goes_to_the_primary_region_until_it_is_lost(self, near: tuple[str, str]) -> None:
        assert sent(FAILOVER, State(), near) == {HOME: ALL}
        assert sent(FAILOVER, State().lost(HOME), near) == {STANDBY: ALL}
        assert sent(FAILOVER, State().taken_over(STANDBY), near) == {STANDBY: ALL}

    def test_rejoin_makes_the_survivor_the_primary(self) -> None:
        moved = State(primary=STANDBY, epoch=2)
        assert sent(FAILOVER, moved, EAST) == {STANDBY: ALL}
        assert sent(FAILOVER, moved.lost(STANDBY), EAST) == {HOME: ALL}

    def test_it_has_no_slices_to_spill(self) -> None:
        assert FAILOVER.checks.room == ()
        assert "Share1" not in FAILOVER.names.stack.resource_types


@pytest.mark.parametrize("built", [NEAREST, FAILOVER], ids=["nearest", "failover"])
class TestEveryState:
    """Whatever else is true."""

    def test_no_user_is_sent_to_a_region_that_is_down_while_the_other_is_up(self, built: Built) -> None:
        for up, switch, maximum, quiet, primary, near in product(
            [(HOME,), (STANDBY,)], [None, HOME, STANDBY], [False, True], range(5), [HOME, STANDBY], [EAST, WEST]
        ):
            state = State(up=up, at_maximum=maximum, quiet_slices=quiet, primary=primary)
            state = state.taken_over(switch) if switch else state
            assert sent(built, state, near) == {up[0]: ALL}, state

    def test_no_user_is_sent_to_a_region_that_the_other_has_taken_over_from(self, built: Built) -> None:
        for winner, maximum, quiet, primary, near in product(
            [HOME, STANDBY], [False, True], range(5), [HOME, STANDBY], [EAST, WEST]
        ):
            state = State(at_maximum=maximum, quiet_slices=quiet, primary=primary).taken_over(winner)
            assert sent(built, state, near) == {winner: ALL}, state

    def test_a_switch_left_over_from_an_earlier_failover_counts_for_nothing(self, built: Built) -> None:
        state = State(epoch=2).taken_over(STANDBY, epoch=2)
        assert sent(built, state, EAST) == {HOME: ALL}
        zone = answers(built, state)
        assert zone.ask(witness_name(built.spec, HOME), near=EAST, kind="TXT") == {'"epoch=2"': ALL}

    def test_the_epoch_of_a_switch_is_matched_whole(self, built: Built) -> None:
        assert sent(built, State(epoch=1).taken_over(STANDBY, epoch=20), EAST) == {HOME: ALL}

    def test_each_region_has_a_name_that_answers_whatever_its_health(self, built: Built) -> None:
        for state in (State(), State().lost(HOME), State().taken_over(STANDBY)):
            for region in (HOME, STANDBY):
                found = answers(built, state).ask(region_name(built.spec, region), near=EAST)
                assert found == {BALANCER[region]: ALL}


class TestWitness:
    """What the fleets read."""

    def ask(self, state: State, region: str) -> list[str]:
        return list(answers(NEAREST, state).ask(witness_name(NEAREST.spec, region), near=EAST, kind="TXT"))

    def test_it_says_the_epoch_to_both_regions_while_nobody_has_taken_over(self) -> None:
        assert self.ask(State(), HOME) == self.ask(State(), STANDBY) == ['"epoch=1"']

    def test_it_says_the_next_epoch_and_by_whom_to_the_region_that_was_taken_over_from(self) -> None:
        state = State().taken_over(STANDBY)
        assert self.ask(state, HOME) == ['"epoch=2 region=us-west-2"']
        assert self.ask(state, STANDBY) == ['"epoch=1"']

    def test_a_region_that_is_down_has_not_taken_over(self) -> None:
        assert self.ask(State().lost(STANDBY), HOME) == ['"epoch=1"']

    def test_its_answer_is_kept_for_ten_seconds(self) -> None:
        records = records_of(NEAREST)
        assert {record["TTL"] for record in records.values() if record["Type"] == "TXT"} == {"10"}


@pytest.mark.parametrize("built", [NEAREST, FAILOVER], ids=["nearest", "failover"])
class TestRecords:
    """What Route 53 asks of records, and what review looks for."""

    def test_every_answer_depends_on_health(self, built: Built) -> None:
        """A record follows a check or its target's health; only the second of a pair may be the answer in any case."""
        for name, record in records_of(built).items():
            followed = "HealthCheckId" in record or record.get("AliasTarget", {}).get("EvaluateTargetHealth") is True
            assert followed or record.get("Failover") == "SECONDARY", name

    def test_every_balancer_that_users_reach_by_the_public_name_is_behind_its_in_service_check(
        self, built: Built
    ) -> None:
        for name, record in records_of(built).items():
            to_balancer = record.get("AliasTarget", {}).get("HostedZoneId") in ("ZHOMEELB", "ZSTANDBYELB")
            if to_balancer and not name.endswith("Region"):
                assert record["HealthCheckId"] == name.replace("Live", "InService")

    def test_an_alias_has_no_ttl_of_its_own(self, built: Built) -> None:
        for record in records_of(built).values():
            assert ("AliasTarget" in record) is not ("TTL" in record)

    def test_an_alias_is_made_after_what_it_points_to(self, built: Built) -> None:
        resources = built.names.stack.document["Resources"]
        records = records_of(built)
        for name, record in records.items():
            alias = record.get("AliasTarget", {})
            if alias.get("HostedZoneId") == "ZPUBLIC":
                targets = {other for other, item in records.items() if item["Name"] == alias["DNSName"]}
                body = resources[name]
                depends = (body.value if hasattr(body, "value") else body)["DependsOn"]
                assert targets
                assert targets <= set(depends)

    def test_records_of_one_name_have_one_routing_policy_and_distinct_identifiers(self, built: Built) -> None:
        sets: dict[tuple[str, str], list[Json]] = {}
        for record in records_of(built).values():
            sets.setdefault((record["Name"], record["Type"]), []).append(record)
        for members in sets.values():
            policies = {frozenset({"Weight", "Region", "Failover"} & set(member)) for member in members}
            assert len(policies) == 1
            identifiers = [member.get("SetIdentifier") for member in members]
            assert len(set(identifiers)) == len(identifiers)

    def test_names_that_change_with_routing_are_different_names(self, built: Built) -> None:
        """A change of `routing` never needs two policies under one name while CloudFormation works through it."""
        other = FAILOVER if built is NEAREST else NEAREST
        mine, theirs = records_of(built), records_of(other)
        shared = {record["Name"] for record in mine.values()} & {record["Name"] for record in theirs.values()}
        for name in shared:
            assert {key for key, record in mine.items() if record["Name"] == name} == {
                key for key, record in theirs.items() if record["Name"] == name
            }


class TestStaticStability:
    """A failover changes no record."""

    def test_a_takeover_changes_the_switch_of_the_survivor_and_nothing_in_route_53(self) -> None:
        """The same records and checks, parameter for parameter, answer before and after: only the world differs."""
        before, after = State(), State().taken_over(STANDBY)
        assert answers(NEAREST, before).records == answers(NEAREST, after).records
        assert sent(NEAREST, before, EAST) != sent(NEAREST, after, EAST)

    def test_what_operations_change_is_the_epoch_and_the_primary_region_alone(self) -> None:
        live = {
            name
            for built in (FAILOVER.checks.stack, FAILOVER.names.stack)
            for name, source in built.sources[HOME].items()
            if isinstance(source, Live)
        }
        assert live == {"Epoch", "NextEpoch", "PrimaryRegion"}

    def test_the_records_stand_in_another_stack_than_the_checks_and_come_after_it(self) -> None:
        assert NEAREST.names.stack.sources[HOME]["HomeSwitchOffCheckId"] == FromOutput(
            "checks/us-east-1", "HomeSwitchOffCheckId"
        )
        assert NEAREST.names.stack.sources[HOME]["NextEpoch"] == FromOutput("checks/us-east-1", "NextEpoch")
