"""The whole twin, once for all tests of the sample, at the fast pace; and one beside it with another application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import Running, running, sample, vendored

SCALING = """\
regions:
  us-east-1: {role: home, cidr: 10.10.0.0/16, scaling: {requests_per_minute: 40, cpu_percent: 24, memory_percent: 90}}
  us-west-2: {role: standby, cidr: 10.20.0.0/16, scaling: {requests_per_minute: 40, cpu_percent: 60}}"""
"""Thresholds that a test's load passes on a machine of two cores; of usage, well above what an idle server takes."""


def _sample(folder: Path) -> Path:
    return sample(folder, regions=SCALING)


@pytest.fixture(scope="session")
def twin() -> Iterator[Running]:
    with running(_sample, "--pace", "fast") as made:
        yield made


def other_application(folder: Path) -> Path:
    """Not the sample: another framework (bottle), another server, psycopg used without its pool."""
    app = folder / "app"
    app.mkdir()
    (app / "notes.py").write_text(NOTES)
    (app / "migrate.py").write_text(MIGRATE)
    spec = folder / "bicoastal.yaml"
    spec.write_text(f"""\
name: notes
cost_center: "7"
domain: notes.example.org
app:
  folder: app
  build: "{vendored("bottle", "psycopg", "typing_extensions")}"
  command: PYTHONPATH=vendor exec python3.11 notes.py
  release_command: PYTHONPATH=vendor python3.11 migrate.py
  health_path: /alive
instances: {{min: 2, max: 3}}
failover_tags: {{cost-center: "911", mode: failover}}
""")
    return spec


MIGRATE = """\
import os
import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as session:
    session.execute("CREATE TABLE IF NOT EXISTS note (id serial PRIMARY KEY, text text NOT NULL)")
"""
NOTES = """\
import os
import socketserver
import wsgiref.simple_server

import bottle
import psycopg

app = bottle.Bottle()


@app.get("/alive")
def alive():
    return "alive"


@app.get("/")
def notes():
    with psycopg.connect(os.environ["DATABASE_READ_URL"]) as session:
        rows = session.execute("SELECT text FROM note ORDER BY id").fetchall()
    return {"region": os.environ["BICOASTAL_REGION"], "notes": [row[0] for row in rows]}


@app.post("/")
def add():
    try:
        with psycopg.connect(os.environ["DATABASE_URL"]) as session:
            session.execute("INSERT INTO note (text) VALUES (%s)", [bottle.request.body.read().decode()])
    except psycopg.Error as error:
        bottle.response.status = 503
        return {"error": str(error)}
    return {"stored": True}


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *words):
        pass


wsgiref.simple_server.make_server(
    os.environ["HOST"], int(os.environ["PORT"]), app, server_class=Server, handler_class=Handler
).serve_forever()
"""
