"""`python3.11 -m orders`: serves on $HOST:$PORT until it is told to end, then finishes what it has begun."""

from __future__ import annotations

import os

import uvicorn

from .settings import Settings
from .web import application

if __name__ == "__main__":
    uvicorn.run(
        application(Settings.read(os.environ)),
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8080")),
        # Longer than the load balancer keeps an idle connection, or it would send a request into a closing one.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
        # The load balancer writes the access log.
        access_log=False,
    )
