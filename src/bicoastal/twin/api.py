"""The AWS API as the twin's own controllers use it: any service of any region, and the gateway's admin paths.

They are AWS's services from within: their calls bear the twin's token, so that a region whose API was made to fail
still has databases that run, and a record of the customer's calls does not hold theirs.
"""

from __future__ import annotations

import json
import threading
import urllib.error
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bicoastal.aws.calls import CallLog
from bicoastal.aws.session import Session
from bicoastal.core.errors import SystemFault
from bicoastal.twin.cloud.gateway import SERVICE_HEADER
from bicoastal.twin.cloud.process import Endpoint, ask

_ATTEMPTS = 2
_WAIT_S = 10.0
_PAUSE_S = 0.5


class Api:
    """One for a twin; safe for threads."""

    def __init__(self, endpoint: Endpoint, regions: Sequence[str]) -> None:
        """`regions` are those that controllers look at."""
        self.endpoint = endpoint
        self.regions = tuple(regions)
        self._session = Session.at(
            endpoint.url,
            endpoint.access_key_id,
            endpoint.secret_access_key,
            log=CallLog(most=0),
            attempts=_ATTEMPTS,
            headers={SERVICE_HEADER: endpoint.token},
        )

    def client(self, service: str, region: str) -> Any:
        """The boto3 client, with the account's own rights. Wrap calls in `aws_faults`."""
        return self._session.client(service, region)

    def report(self, name: str, region: str, **data: Any) -> Any:
        """Tell the API what is so (`REPORTS` of the cloud's handlers). Raises SystemFault when it is not taken."""
        return self._ask(f"reports/{name}", {"region": region, **data})

    def credentials(self, role: str, service: str, name: str) -> Mapping[str, str]:
        """Temporary ones of a role that trusts an AWS service: AccessKeyId, SecretAccessKey, SessionToken, Expiration.

        Raises SystemFault where the role does not exist or does not trust it.
        """
        found: Mapping[str, str] = self._ask("sessions", {"role": role, "service": service, "name": name})
        return found

    def session(self, credentials: Mapping[str, str]) -> Session:
        """A customer's session with such credentials: IAM is enforced, faults are met, calls are recorded."""
        return Session.at(
            self.endpoint.url,
            credentials["AccessKeyId"],
            credentials["SecretAccessKey"],
            credentials["SessionToken"],
            log=CallLog(most=0),
        )

    def changes(self, after: int, within_s: float = 0.0) -> int:
        """The number of the last change, as soon as it is above `after`, or when the time is over."""
        try:
            return int(ask(self.endpoint, f"changes?after={after}&wait={within_s:g}", within_s=within_s + 5))
        except (OSError, ValueError) as error:
            raise SystemFault(f"the twin's control plane does not answer: {error}") from error

    def _ask(self, path: str, body: Any) -> Any:
        try:
            return ask(self.endpoint, path, body)
        except urllib.error.HTTPError as error:
            with error:
                said = json.loads(error.read() or b"{}").get("error", str(error))
            raise SystemFault(f"{path}: {said}") from error
        except (OSError, ValueError) as error:
            raise SystemFault(f"the twin's control plane does not answer: {error}") from error


class Watcher:
    """Calls back at its start and as soon as the API's state has changed, in a thread of its own."""

    def __init__(self, api: Api, changed: Callable[[], None]) -> None:
        self._api = api
        self._changed = changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="twin-watcher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No more calls. The thread ends with the question that is under way."""
        self._stop.set()

    def _run(self) -> None:
        known = -1
        while not self._stop.is_set():
            try:
                number = self._api.changes(known, _WAIT_S)
            except SystemFault:
                self._stop.wait(_PAUSE_S)
                known = -1
                continue
            if number != known and not self._stop.is_set():
                known = number
                self._changed()
