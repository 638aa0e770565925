"""TCP ports that concerns must agree on: what listens, what forwards, and what security groups let through."""

from __future__ import annotations

from typing import Final

HTTP: Final = 80
"""The balancers' plain port, which only redirects."""
HTTPS: Final = 443
POSTGRESQL: Final = 5432
GATE: Final = 8099
"""Where the instance kit answers 503 while the read gate is closed; never an application's own port."""
