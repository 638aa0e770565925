"""Load beyond what a region's fleet is for: it grows, then users go to the other region, by quarters (M3, M4, M12).

surge             crowds come to the standby, more than two servers are for, then more than its largest fleet is for
surge-east-lost   a full standby while home is lost: nobody is sent there

Both ask for a spec with a smaller fleet and lower thresholds, which two cores can pass. Bars, in template time:
- growth: the alarm asks for two minutes above both thresholds, and speaks within the third;
- spill-over: a busy minute ends a slice's quiet, ten quiet ones bring it back (design D5), so that no slice changes
  twice in ten minutes; Route 53 reads the metric every ten seconds;
- shrinking: fifteen minutes below half of the thresholds (design D16).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.blueprint.service.capacity import PROBES_PER_MINUTE
from bicoastal.drill import deeds
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.ledger import READ
from bicoastal.drill.measure import READS, settled
from bicoastal.drill.promises import NOTHING_LOST, few_fail, within
from bicoastal.drill.steady import STEADY, STEADY_AGAIN, STEADY_S
from bicoastal.drill.watch import Change, until
from bicoastal.twin.faults import Act

SLICES = tuple(f"slice-{number}.{{standby}}" for number in range(1, 5))
SCALING = {"requests_per_minute": 50, "cpu_percent": 24, "memory_percent": 95}
"""What two cores can pass with pages of the sample: a t3.micro of the twin's has a quarter of one. A server was seen
to take 5 % of that for itself and 1.2 % for each request a second: half of 24 % is above what the usual users cost."""
LARGEST = {"requests_per_minute": 110}
"""Of each of three servers: who makes a fleet of two grow must be less than three are for, on a slow machine, too. A
slice remembers a busy minute for ten, and would leave with the others as soon as the fleet is at its largest."""
AT_CAPACITY = {"requests_per_minute": 75}
"""Of each of two that cannot grow."""
USERS = 1
"""Of each kind on each coast: eight requests a second of the standby's."""
CROWD = 37
"""People who come at first: too many for two servers, and not yet for three."""
FULL = 40
"""People who are above every limit of a fleet of two that cannot grow."""
NEARLY = 48
"""People for whom three servers are just enough."""
MOST = 140
MINUTE_S = 60.0
ONCE_S = 10 * MINUTE_S
LOOKS_S = 20.0
"""Between two looks of Route 53's at a metric, and one of ours at DNS."""
GONE_S = 40.0
"""3 probes at 10 s, and one look more: from then on nobody is sent to a lost region."""
LATE_S = 3.0
"""That a busy machine takes to publish a minute's figures and to look at them, at every pace."""
_REAL_S = 60.0
"""Beyond template times, for what a busy machine takes to start servers."""


def _begin(run: Run, people: int) -> None:
    began = time.time()
    run.notes["fleet_before"] = _group(run)["DesiredCapacity"]
    run.notes["limits"] = _limits(run)
    _come(run, people)
    run.fault = Act("a crowd comes", began, time.time())


def _come(run: Run, people: int) -> None:
    run.notes["crowd"] = people
    run.users.crowd(run.standby, people)


def _until(run: Run, what: str, so: Callable[[], object], minutes: float, *, more: int, after: float = 0) -> None:
    """Let more people come every minute until it is so: how many are enough, a busy machine decides.

    `after` so many minutes without anybody more.
    """
    minute = run.stage.pace.seconds(MINUTE_S)
    came = time.time() + after * minute

    def look() -> object:
        nonlocal came
        if so():
            return True
        if time.time() - came > minute and run.notes["crowd"] < MOST:
            came = time.time()
            _come(run, run.notes["crowd"] + more)
        return False

    run.wait(what, look, minute * minutes + _REAL_S)


def _grow(run: Run) -> None:
    """Until as many serve as may be, with the moments at which they were asked for and were there."""
    most, before = int(_group(run)["MaxSize"]), int(run.notes["fleet_before"])

    def asked() -> bool:
        return int(_group(run)["DesiredCapacity"]) > before

    with run.phase("the fleet grows"):
        _until(run, "the fleet is asked to grow", asked, 20, more=3, after=3)
        asked_at = run.notes["asked_to_grow_at"] = time.time()
        run.wait(
            f"{most} servers in {run.standby} serve",
            lambda: in_service(run) >= most,
            2 * _REAL_S,
        )
    run.notes["grown_at"] = time.time()
    _come(run, max(run.notes["crowd"], NEARLY))
    run.notes["grown_s"] = round(time.time() - asked_at, 1)


def _group(run: Run) -> Mapping[str, Any]:
    with aws_faults("reading the fleet's size"):
        (group,) = run.stage.session.client("autoscaling", run.standby).describe_auto_scaling_groups(
            AutoScalingGroupNames=[f"{run.stage.script.name}-fleet"]
        )["AutoScalingGroups"]
    found: Mapping[str, Any] = group
    return found


def in_service(run: Run) -> int:
    """Servers that serve, as Auto Scaling counts them: what the alarm on the fleet's size reads."""
    return sum(item["LifecycleState"] == "InService" for item in _group(run)["Instances"])


def slices(run: Run) -> list[str]:
    """Their names, in the order of their limits."""
    script = run.stage.script
    return [f"{name.format(standby=script.standby)}.{script.domain}" for name in SLICES]


def _gone(run: Run) -> list[str]:
    """The slices that lead home now."""
    watch = run.watch
    return [] if watch is None else [name for name in slices(run) if watch.now(name) == run.home]


def _spill(run: Run, least: int, note: str) -> None:
    """Until so many slices have gone home."""
    with run.phase("a quarter goes home" if least == 1 else "more go home"):
        # Whoever has gone home is replaced at once. A surge that lasted for more than ten minutes would have the first
        # quarter come back, find no room and go again.
        here = max(len(SLICES) - len(_gone(run)), 1)
        _come(run, min(run.notes["crowd"] * len(SLICES) // here + 1, MOST))
        _until(run, f"{least} of the slices go to {run.home}", lambda: len(_gone(run)) >= least, 15, more=2)
        # A look at DNS for each of them: what left with it is seen, too.
        time.sleep(run.stage.pace.seconds(LOOKS_S))
        run.notes[note] = len(_gone(run))


def _visited(run: Run) -> None:
    """Until somebody of the standby's coast was served at home."""
    since = time.time()
    with run.phase("served at home"):
        run.wait(
            f"a user near {run.standby} is served by {run.home}",
            lambda: any(
                entry.coast == run.standby and entry.region == run.home and entry.ended > since
                for entry in run.users.entries()
            ),
            run.stage.pace.seconds(3 * MINUTE_S) + _REAL_S,
        )


def _leave(run: Run) -> None:
    """Nobody but the usual users is there any more."""
    _come(run, 0)
    run.notes["figures"] = _figures(run)


def _come_back(run: Run) -> None:
    with run.phase("the slices come back"):
        run.wait(
            "every slice is served at its own coast again",
            lambda: not _gone(run),
            run.stage.pace.seconds(ONCE_S + 3 * MINUTE_S) + _REAL_S,
        )


def _shrink(run: Run) -> None:
    with run.phase("the fleet shrinks"):
        run.wait(
            "the fleet is as small as it was",
            lambda: _group(run)["DesiredCapacity"] <= run.notes["fleet_before"],
            run.stage.pace.seconds(22 * MINUTE_S) + _REAL_S,
        )
        # Servers that leave finish what they have begun: what fails then is counted, too.
        since = time.time()
        run.wait("nobody fails", lambda: time.time() - since > STEADY_S and _calm(run), _REAL_S)
    run.served_until = time.time()


def _calm(run: Run) -> bool:
    return settled(run.users.entries(), READS, (run.home, run.standby), time.time(), STEADY_S)


def _figures(run: Run) -> dict[str, list[tuple[float, float]]]:
    """What CloudWatch says of minutes: requests for each server, CPU in percent, servers; each with its beginning."""
    client = run.stage.session.client("cloudwatch", run.standby)
    wanted = {
        "requests_per_target": ("AWS/ApplicationELB", "RequestCountPerTarget", "Sum"),
        "cpu_percent": ("AWS/EC2", "CPUUtilization", "Average"),
        "in_service": ("AWS/AutoScaling", "GroupInServiceInstances", "Average"),
    }
    found: dict[str, list[tuple[float, float]]] = {}
    # The minute in which the crowd came had begun before it.
    began = (run.fault.began if run.fault is not None else time.time()) - 2 * run.stage.pace.seconds(MINUTE_S)
    with aws_faults("reading the figures of the fleet"):
        for label, (namespace, name, statistic) in wanted.items():
            known = client.list_metrics(Namespace=namespace, MetricName=name)["Metrics"]
            dimensions = _of_fleet(known)
            points = client.get_metric_statistics(
                Namespace=namespace,
                MetricName=name,
                Dimensions=dimensions,
                StartTime=datetime.fromtimestamp(began, UTC),
                EndTime=datetime.now(UTC),
                Period=1,
                Statistics=[statistic],
            )["Datapoints"]
            found[label] = sorted((point["Timestamp"].timestamp(), round(point[statistic], 1)) for point in points)
    return found


def _of_fleet(known: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The dimensions of the application's targets, or of the group: not those of one server, nor of the read gate."""
    for metric in known:
        values = {item["Name"]: item["Value"] for item in metric["Dimensions"]}
        if "AutoScalingGroupName" in values or ({"TargetGroup", "LoadBalancer"} <= values.keys()):
            return list(metric["Dimensions"])
    return []


def _limits(run: Run) -> list[float]:
    """Of the slices, as their alarms have them."""
    with aws_faults("reading the slices' limits"):
        found = run.stage.session.client("cloudwatch", run.standby).describe_alarms(
            AlarmNamePrefix=f"{run.stage.script.name}-quiet-"
        )["MetricAlarms"]
    return sorted(float(alarm["Threshold"]) for alarm in found)


# How it is judged


def judge_growth(run: Run, _: Evidence) -> Judged:
    """Two minutes above both thresholds had the fleet asked to grow, and nothing before."""
    asked, minute = run.notes.get("asked_to_grow_at"), run.stage.pace.seconds(MINUTE_S)
    if asked is None:
        return False, "it was not asked to grow"
    ends = [begin + minute for begin in _high(run.notes.get("figures", {}))]
    second = next((end for before, end in itertools.pairwise(ends) if end - before < 1.5 * minute), None)
    if second is None:
        return False, "asked, though no two minutes were above both thresholds"
    late = asked - second
    said = f"asked {late:.1f} s after the second minute, at most {minute:.1f} s"
    return (
        0 <= late <= minute,
        f"{said}; at its largest {run.notes.get('grown_s', 'an unknown number of')} s after that",
    )


def _high(figures: Mapping[str, Sequence[tuple[float, float]]]) -> list[float]:
    """The minutes in which traffic and CPU were above their thresholds, as the alarm reckons: without the probes."""
    cpu, servers = dict(figures.get("cpu_percent", ())), dict(figures.get("in_service", ()))
    return [
        at
        for at, requests in figures.get("requests_per_target", ())
        if requests - PROBES_PER_MINUTE / servers.get(at, 2) > SCALING["requests_per_minute"]
        and cpu.get(at, 0) > SCALING["cpu_percent"]
    ]


def judge_order(run: Run, found: Evidence) -> Judged:
    """No slice went home before the fleet was at its largest, and they went in the order of their limits."""
    grown = run.notes.get("grown_at")
    if grown is None:
        return False, "the fleet was never seen at its largest"
    first = [_first_leave(run, name, found.until) for name in slices(run)]
    known = [at for at in first if at is not None]
    if not known:
        return False, "no slice went home"
    early = [at for at in known if at < grown]
    if early:
        return (
            False,
            f"{len(early)} slices went home up to {grown - min(early):.1f} s before the fleet was at its largest",
        )
    in_order = first[: len(known)] == sorted(known)
    return in_order, f"the first {min(known) - grown:.1f} s after the fleet was at its largest" + (
        "" if in_order else ", but not in the order of their limits"
    )


def _first_leave(run: Run, name: str, end: float) -> float | None:
    changes = () if run.watch is None else run.watch.changes
    since = run.fault.began if run.fault is not None else 0.0
    return next((change.at for change in until(changes, name, since, end) if change.answer == run.home), None)


def judge_quarters(run: Run, found: Evidence) -> Judged:
    """Just above the first limit one slice had gone, and more with more load."""
    first, then = run.notes.get("gone_first"), run.notes.get("gone_then")
    served = [entry for entry in found.during if entry.coast == run.standby and entry.kind == READ and entry.served]
    away = sum(entry.region == run.home for entry in served)
    if first is None or then is None:
        return False, "it did not come to that"
    said = f"{first} of 4 slices, then {then}; {away} of {len(served)} answers at home"
    return first == 1 and then > first and away > 0, said


def judge_once(run: Run, found: Evidence) -> Judged:
    """No slice changed twice within ten minutes."""
    changes = () if run.watch is None else run.watch.changes
    began = run.fault.began if run.fault is not None else 0.0
    shortest, count = _shortest([until(changes, name, began, found.until) for name in slices(run)])
    bar = (ONCE_S - LOOKS_S) / run.stage.pace.factor - LATE_S
    if shortest is None:
        return count > 0, f"{count} changes, no slice more than once"
    return shortest >= bar, f"{count} changes, the shortest stay {shortest:.1f} s, at least {bar:.1f} s"


def _shortest(by_slice: Sequence[Sequence[Change]]) -> tuple[float | None, int]:
    stays = [later.at - earlier.at for changes in by_slice for earlier, later in itertools.pairwise(changes)]
    return min(stays, default=None), sum(map(len, by_slice))


def judge_not_sent(run: Run, found: Evidence) -> Judged:
    """While home was lost and Route 53 knew it, no slice led there."""
    if run.watch is None or run.fault is None:
        return False, "nobody asked"
    since = run.fault.began + GONE_S / run.stage.pace.factor
    back = run.returned.began if run.returned is not None else found.until
    names = slices(run)
    sent = [
        change for name in names for change in until(run.watch.changes, name, since, back) if change.answer == run.home
    ]
    still = [name for name in names if _answer_at(run.watch.changes, name, since) == run.home]
    full = run.notes.get("gone_first", 0)
    if sent or still:
        return False, f"{len(sent)} times a slice was sent there, and {len(still)} were still"
    return full > 0, f"none of the {full} slices that had gone there because the standby was full"


def _answer_at(changes: Sequence[Change], name: str, at: float) -> str:
    return next((change.answer for change in reversed(changes) if change.name == name and change.at <= at), "")


_CALM = few_fail("hardly a request fails: one in a hundred, while servers come and go", 0.01)
_ONCE = Promise("no part of them changes its region twice within ten minutes", judge_once)


def _lose_home(run: Run) -> None:
    deeds.lose(run, "refuse", "refuse")


def _count_returned(run: Run) -> None:
    """As soon as it is up again."""
    with run.phase("home's database is up"):
        run.wait("home's database answers", lambda: run.stage.ids(run.home) is not None, 2 * _REAL_S)
    deeds.count(run, run.home)


def _read(run: Run) -> None:
    with run.phase("users come back"):
        run.wait("everybody reads", lambda: _calm(run), deeds.SERVED_S)
    run.served_until = time.time()


EXPERIMENTS = (
    Experiment(
        "surge",
        "more users near the standby than its largest fleet is for",
        given=STEADY,
        when=(
            Deed("a crowd comes to the standby, more than two servers are for", lambda run: _begin(run, CROWD)),
            Deed("its fleet grows to its largest", _grow),
            Deed("more come, until a quarter of the users goes home", lambda run: _spill(run, 1, "gone_first")),
            Deed("more come, until another quarter goes home", lambda run: _spill(run, 2, "gone_then")),
            Deed("they are served there", _visited),
            Deed("the crowds leave", _leave),
            Deed("the users come back", _come_back),
            Deed("the fleet shrinks to what it was", _shrink),
        ),
        then=(
            Promise("traffic and CPU above their thresholds for two minutes have the fleet grow", judge_growth),
            Promise(
                "nobody is sent home before the fleet is at its largest, and in the order of the limits", judge_order
            ),
            Promise("a quarter at a time is sent home, and served there", judge_quarters),
            _ONCE,
            _CALM,
            NOTHING_LOST,
        ),
        afterwards=(
            Deed("nobody is there but the usual users", _leave),
            Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home)),
            STEADY_AGAIN,
        ),
        users=USERS,
        measured=True,
        asks={
            "instances": {"min": 2, "max": 3},
            "regions": {"standby": {"scaling": SCALING, "at_capacity": LARGEST}},
        },
        watches=SLICES,
    ),
    Experiment(
        "surge-east-lost",
        "home is lost while the standby is full",
        given=STEADY,
        when=(
            Deed("a crowd comes to the standby, which has its largest fleet", lambda run: _come(run, FULL)),
            Deed("users are sent home", lambda run: _spill(run, 1, "gone_first")),
            Deed("home is lost", _lose_home),
            Deed("users look for who serves them", _read),
        ),
        then=(
            within(
                "everybody reads at the standby within 3 probes and one TTL, full as it is", 100.0 + 20.0, writes=False
            ),
            Promise("nobody is sent to the region that is lost", judge_not_sent),
            NOTHING_LOST,
        ),
        afterwards=(
            Deed("the crowd leaves", lambda run: _come(run, 0)),
            Deed("home returns", deeds.give_back),
            Deed("its database is asked for its rows", _count_returned),
            Deed("the users come back", _come_back),
            STEADY_AGAIN,
        ),
        users=USERS,
        measured=True,
        asks={
            "instances": {"min": 2, "max": 2},
            "regions": {"standby": {"scaling": SCALING, "at_capacity": AT_CAPACITY}},
        },
        watches=SLICES,
        stays=3,
        stays_in_a_row=True,
    ),
)
