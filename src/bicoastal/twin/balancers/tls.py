"""Security policies of listeners, as far as a client can tell: the oldest and the newest version of TLS.

The cipher suites of a policy are not narrowed: Envoy's own are a subset of every policy's modern ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from bicoastal.twin.account import Account
from bicoastal.twin.authority import Authority

_OLDEST = re.compile(r"(?:TLS13|TLS|FS)-1-([0-3])")


def versions(policy: str) -> tuple[str, str]:
    """The oldest and the newest version, in Envoy's words.

    Policies say the oldest in their names (`ELBSecurityPolicy-TLS13-1-2-2021-06`), but for the first ones, which take
    TLS 1.0; those with TLS13 in the name have 1.3 as the newest, the others 1.2.
    """
    found = _OLDEST.search(policy)
    return f"TLSv1_{found[1] if found else 0}", "TLSv1_3" if "TLS13" in policy else "TLSv1_2"


def names_of(domains: Sequence[str], *others: str) -> list[str]:
    """What a certificate is for: the ACM certificate's names, and where else the load balancer is reached.

    Pages open on this machine below `localhost`: each of the names is there, too.
    """
    local = [f"{domain}.localhost" for domain in domains]
    return list(dict.fromkeys([*domains, *local, *others, "localhost", "*.localhost"]))


def certificate(
    authority: Authority, account: Account, folder: Path, names: Sequence[str], issuer: str
) -> tuple[Path, Path]:
    """A certificate of these names and its key, made once; other names are other files, so that Envoy sees a change."""
    name = hashlib.sha256(" ".join([issuer, *names]).encode()).hexdigest()[:16]
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    if not (public.exists() and private.exists()):
        authority.issue(public, private, names)
        account.own(private)
        account.own(public)
    return public, private
