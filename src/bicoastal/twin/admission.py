"""Whether a connection may exist, by what the API says now of groups, routes, ACLs, peering and endpoints.

Rooms ask before they let a connection be; nothing else of the twin evaluates the network. A reading of the API is kept,
and made anew when somebody asks after a change: a thing that is not known, and a no, is looked at again before it is
said; a yes may be a little old while changes come without a pause. Where the API does not answer, the last reading
holds. Nobody waits longer than two seconds. Endpoint policies, and all else that is IAM's, are not asked about here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from bicoastal.core.errors import BicoastalError
from bicoastal.reach.model import INTERNET as ANYBODY
from bicoastal.reach.model import End, Interface
from bicoastal.reach.paths import connection, from_internet, to_internet
from bicoastal.reach.services import to_service
from bicoastal.reach.verdict import Barrier, Obstacle, Verdict
from bicoastal.twin import interfaces
from bicoastal.twin.api import Api
from bicoastal.twin.network_state import State, read

LONGEST_WAIT_S = 2.0
"""For a reading, by who asks."""
OLDEST_ANSWER_S = 1.0
"""After so long there is a look for changes, whether or not anybody told of one."""
_REST, _SHORTEST_REST_S, _LONGEST_REST_S = 4.0, 0.1, 0.5
"""Times that a reading took: so long none follows it for a yes, so that questions during a deployment do not become its
load. A no, which somebody waits for, rests as long as a reading took, and a tenth of a second at least."""
_KEPT_REFUSALS = 200
_SERVICE, _BALANCER = "service/", "balancer/"
_ENDPOINTS = {"cloudwatch": "monitoring", "elbv2": "elasticloadbalancing", "s3api": "s3", "stepfunctions": "states"}
"""Names of services in the CLI, to those of their endpoints where they differ."""


@dataclass(frozen=True)
class Refusal:
    """A connection that was not let be."""

    source: str
    destination: str
    port: int
    why: str
    times: int
    last: float
    """Seconds since the epoch."""


class Admission:
    """One for a twin; safe for threads. Called as `interfaces.Admits` is."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is read before the first question."""
        self._api = api
        self._clock = clock
        self._lock = threading.Lock()
        self._stale = True
        self._followed = False
        self._state: State | None = None
        self._looked_at = -float("inf")
        self._rests_from = -float("inf")
        self._rest_s = 0.0
        self._reading: Future[None] | None = None
        self._one_reads = threading.Lock()
        self._trouble = ""
        self._reader = ThreadPoolExecutor(1, "twin-admission")
        self._refusals: dict[tuple[str, str, int], Refusal] = {}

    def __call__(self, source: str, destination: str, port: int) -> interfaces.Verdict:
        """Whether the connection may be, and what decides it."""
        verdict = self.explain(source, destination, port)
        if not verdict.allowed:
            self._remember(source, destination, port, verdict.why)
        return interfaces.Verdict(verdict.allowed, verdict.why)

    def explain(self, source: str, destination: str, port: int) -> Verdict:
        """The same with every obstacle, and the resource that each is."""
        state = self._state
        verdict = _judge(state, source, destination, port) if state else None
        if verdict is not None and not self._worth_a_look(verdict):
            return verdict
        if self._renew() or verdict is None:
            state = self._state
            verdict = _judge(state, source, destination, port) if state else _unread(self._trouble)
        return verdict

    def changed(self) -> None:
        """Something of the API's state has: the next question is answered from a new reading, if none was just made.

        From the first of these calls on nobody but they is asked for a second about a no.
        """
        self._followed = True
        self._stale = True

    def refresh(self) -> None:
        """Read now, whatever is known. Raises SystemFault where the API does not answer."""
        with self._one_reads:
            self._read(forced=True)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What was not let be, the latest last."""
        with self._lock:
            return tuple(sorted(self._refusals.values(), key=lambda item: item.last))

    @property
    def trouble(self) -> str:
        """Why the API could not be read the last time; empty where it could."""
        return self._trouble

    def close(self) -> None:
        """No more readings."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    def _worth_a_look(self, verdict: Verdict) -> bool:
        """Whether it may be otherwise by now. What is not known may be so new that nobody has told of it yet."""
        now = self._clock()
        old = self._stale or now - self._looked_at > OLDEST_ANSWER_S
        if verdict.allowed:
            return old and now - self._rests_from > min(_REST * self._rest_s, _LONGEST_REST_S)
        return old or not self._followed or verdict.met(Barrier.UNKNOWN) is not None

    def _renew(self) -> bool:
        """Have the API looked at; whether there is another reading than before."""
        before = self._state
        reading, others = self._look()
        # Nobody waits for an API that does not answer while there is something to go by.
        if before is None or not self._trouble:
            end = time.monotonic() + LONGEST_WAIT_S
            if wait([reading], LONGEST_WAIT_S).done and others:
                # It may have begun before what this question is about was there.
                wait([self._look()[0]], end - time.monotonic())
        return self._state is not before

    def _look(self) -> tuple[Future[None], bool]:
        """A look at the API that ends some time; whether it had begun already."""
        with self._lock:
            if self._reading is not None and not self._reading.done():
                return self._reading, True
            try:
                self._reading = self._reader.submit(self._try)
            except RuntimeError:
                self._trouble = "the twin is being ended"
                self._reading = Future()
                self._reading.set_result(None)
            return self._reading, False

    def _try(self) -> None:
        try:
            with self._one_reads:
                self._read()
        except Exception as error:
            self._stale = True
            self._trouble = str(error) if isinstance(error, BicoastalError) else f"{type(error).__name__}: {error}"
            self._rests_from, self._rest_s = self._clock(), _LONGEST_REST_S

    def _read(self, *, forced: bool = False) -> None:
        """Read, if anything has changed. What changes meanwhile has a higher number, and is found the next time."""
        self._stale = False
        number = self._api.changes(0)
        if self._state is None or forced or number != self._state.number:
            rest_s = self._rests_from + self._rest_s - self._clock()
            if rest_s > 0 and not forced:
                time.sleep(rest_s)
            began = self._clock()
            self._state = read(self._api, self._api.changes(0))
            self._rests_from = self._clock()
            self._rest_s = min(max(self._rests_from - began, _SHORTEST_REST_S), _LONGEST_REST_S)
        self._trouble = ""
        self._looked_at = self._clock()

    def _remember(self, source: str, destination: str, port: int, why: str) -> None:
        key = (source, destination, port)
        with self._lock:
            before = self._refusals.pop(key, None)
            known = before or Refusal(source, destination, port, why, 0, 0.0)
            self._refusals[key] = replace(known, why=why, times=known.times + 1, last=time.time())
            while len(self._refusals) > _KEPT_REFUSALS:
                del self._refusals[next(iter(self._refusals))]


def _unread(trouble: str) -> Verdict:
    said = trouble.splitlines()[0] if trouble else "it is being read"
    return _unknown("", f"the networks' state is not known yet: {said}")


def _unknown(resource: str, text: str) -> Verdict:
    return Verdict((Obstacle(Barrier.UNKNOWN, resource, text),))


def _judge(state: State, source: str, destination: str, port: int) -> Verdict:
    """Every interface of the one with every interface of the other: the first pair that connects, else the first no."""
    sources, unknown = _ends(state, source)
    if unknown is not None:
        return unknown
    if destination.startswith(_SERVICE):
        tried = [_to_service(state, end, destination, port) for end in sources]
    else:
        destinations, unknown = _ends(state, destination)
        if unknown is not None:
            return unknown
        connects = _to_balancer if destination.startswith(_BALANCER) else _connection
        tried = [connects(state, end, other, port) for end in sources for other in destinations]
    return next((verdict for verdict in tried if verdict.allowed), tried[0])


def _ends(state: State, name: str) -> tuple[tuple[End, ...], Verdict | None]:
    """What a name stands for; or what is said of one that stands for nothing. A stranger is on the internet."""
    if name in ("", interfaces.INTERNET):
        return (ANYBODY,), None
    found = state.interfaces.get(name)
    if found:
        return found, None
    return (), _unknown(name, state.absent.get(name) or f"{name} is not known to the API")


def _to_service(state: State, source: End, destination: str, port: int) -> Verdict:
    region, _, service = destination.removeprefix(_SERVICE).partition("/")
    if isinstance(source, Interface):
        return to_service(state.network, source, region, _ENDPOINTS.get(service, service), port)
    return Verdict()


def _to_balancer(state: State, source: End, destination: End, port: int) -> Verdict:
    """The name of one that faces the internet leads to its public addresses, from within its VPC too."""
    if isinstance(source, Interface) and isinstance(destination, Interface) and destination.public:
        return _by_internet(state, source, destination, port)
    return connection(state.network, source, destination, port)


def _connection(state: State, source: End, destination: End, port: int) -> Verdict:
    """The name of a public database leads to its private address within its VPC; beyond, both ways are tried."""
    private = connection(state.network, source, destination, port)
    if private.allowed or not isinstance(source, Interface) or not isinstance(destination, Interface):
        return private
    near = (source.region, state.network.subnet(source).vpc)
    if not destination.public or near == (destination.region, state.network.subnet(destination).vpc):
        return private
    return _by_internet(state, source, destination, port)


def _by_internet(state: State, source: Interface, destination: Interface, port: int) -> Verdict:
    """Out of the one's VPC and into the other's, by the public address that a public name leads to."""
    out = to_internet(state.network, source, port)
    back_in = from_internet(state.network, destination, port)
    return Verdict((*out.obstacles, *back_in.obstacles), (*out.passes, *back_in.passes))
