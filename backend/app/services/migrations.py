"""Brings a database to the schema that this version of the code expects.

Knows steps and their bookkeeping; runs inside a transaction that it is given. Each step has one transaction
of its own, begun by taking a lock that ends with it: of several processes that start together one applies
the step, the others wait and then find nothing to do. No step or lock outlives its transaction, so unlike
most migration tools this one needs no direct connection and runs through Neon's pooled endpoint as well.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend.app.errors import ConfigurationError
from backend.app.sql import Step, load_queries, load_steps

if TYPE_CHECKING:
    from backend.app.services.db_pool import Cursor


def apply_next_step(cursor: "Cursor", steps: Sequence[Step] | None = None) -> str | None:
    """Apply the first missing step and return its name, or None when all are there.

    Steps that the database has and this code does not are left alone: a newer release may still run.
    Raises ConfigurationError when a step was edited after it had been applied."""
    sql = load_queries()
    cursor.execute(sql["lock_migrations"])
    cursor.execute(sql["create_migrations_table"])
    missing = _missing(cursor, load_steps() if steps is None else steps)
    if not missing:
        return None
    step = missing[0]
    cursor.execute(step.sql)
    cursor.execute(sql["record_applied_step"], {"number": step.number, "name": step.name, "sha256": step.sha256})
    return step.name


def list_missing_steps(cursor: "Cursor") -> list[str]:
    """The names of the steps still to apply; changes nothing. Raises ConfigurationError as above."""
    sql = load_queries()
    cursor.execute(sql["has_migrations_table"])
    if cursor.fetchone() == (True,):
        return [step.name for step in _missing(cursor, load_steps())]
    return [step.name for step in load_steps()]


def _missing(cursor: "Cursor", steps: Sequence[Step]) -> list[Step]:
    cursor.execute(load_queries()["list_applied_steps"])
    applied: dict[int, tuple[str, str]] = {number: (name, sha256) for number, name, sha256 in cursor.fetchall()}
    changed = [
        f"The migration {step.name} is not the one this database has had ({applied[step.number][0]}). "
        "Restore that file and put the change into a new step."
        for step in steps
        if step.number in applied and applied[step.number] != (step.name, step.sha256)
    ]
    if changed:
        raise ConfigurationError(changed)
    return [step for step in steps if step.number not in applied]
