"""The database stack: one PostgreSQL instance in each region, the same template for primary and replica (D1-D3).

`database` composes; the instance itself, its parameters, and what watches it are modules of their own.
"""

from bicoastal.blueprint.database.database import Database, DatabaseInputs, database
from bicoastal.blueprint.database.instance import (
    ORIGIN_NEW,
    ORIGIN_REPLICA,
    ROLE_PRIMARY,
    ROLE_REPLICA,
    instance_identifier,
)

__all__ = [
    "ORIGIN_NEW",
    "ORIGIN_REPLICA",
    "ROLE_PRIMARY",
    "ROLE_REPLICA",
    "Database",
    "DatabaseInputs",
    "database",
    "instance_identifier",
]
