"""Jobs change hands: claimed by one run of all, ended, given back, or taken from a run that died."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime

import msgspec

from ..jobs import Job, Outcome
from .database import Database
from .owner import Owner, Pulse, this_owner

__all__ = ["LOSSES", "Claims"]

LOSSES = 3  # tries that may come to nothing before a job is given up
_LOST = (
    "the run ended {} times while this model was scanned (killed, or the machine went down), so it is not tried again; "
    "scan it by itself, or run with --retry"
)
_END = """UPDATE jobs SET state = ?, label = ?, score = ?, reasons = ?, error = ?, seconds = ?, peak_memory = ?,
    ended = ?, worker = ?, owner = NULL WHERE key = ? AND state IN ('waiting', 'running')"""


class _Verdict(msgspec.Struct):
    label: str
    score: float
    reasons: list[str]


class _Report(msgspec.Struct):
    """What of a report the table of jobs repeats, for queries."""

    verdict: _Verdict


class Claims:
    """What one run holds of a store's jobs.

    Args:
        database: of the store.
        jobs: that this run is to do, in the order in which they should begin.
    """

    def __init__(self, database: Database, jobs: Sequence[Job]) -> None:
        self._database, self._owner, self._pulse = database, this_owner(), Pulse()
        self._jobs = {job.key: job for job in jobs}
        with database.transaction() as connection:
            connection.execute("INSERT INTO owners VALUES (?, ?, ?, ?, ?, ?)", astuple(self._owner))
            connection.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (key TEXT PRIMARY KEY, place INTEGER)")
            connection.execute("DELETE FROM wanted")
            connection.executemany("INSERT INTO wanted VALUES (?, ?)", [(k, i) for i, k in enumerate(self._jobs)])

    def next(self) -> Job | None:
        """The next job that nobody has, now this run's; None if none is left.

        Those that were lost before come last, so that what kills a run does not keep it from the others.
        """
        with self._database.transaction() as connection:
            row = connection.execute(
                "UPDATE jobs SET state = 'running', owner = ?, tries = tries + 1 WHERE key = ("
                " SELECT key FROM jobs JOIN temp.wanted USING (key) WHERE state = 'waiting'"
                " ORDER BY losses, place LIMIT 1) RETURNING key, losses",
                (self._owner.id,),
            ).fetchone()
        return row and replace(self._jobs[row[0]], losses=row[1])

    def end(self, job: Job, outcome: Outcome) -> None:
        """Keep what came of a job, all of it or nothing; what another run has stored meanwhile stays."""
        with self._database.transaction() as connection:
            losses = connection.execute("SELECT losses FROM jobs WHERE key = ?", (job.key,)).fetchone()[0]
            if outcome.lasting or losses + 1 >= LOSSES:
                _keep(connection, job, outcome)
            else:
                connection.execute(
                    "UPDATE jobs SET state = 'waiting', owner = NULL, losses = losses + 1, error = ?, peak_memory = ?"
                    " WHERE key = ? AND owner = ?",
                    (outcome.error, outcome.peak_memory, job.key, self._owner.id),
                )

    def standing(self) -> dict[tuple[str, str], int]:
        """State and label of the jobs that this run wants, whoever does them -> how many there are."""
        rows = self._database.read(
            "SELECT state, label, count(*) FROM jobs JOIN temp.wanted USING (key) GROUP BY state, label"
        )
        return {(state, label): number for state, label, number in rows}

    def beat(self) -> None:
        """Show that this run lives."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE owners SET beat = ? WHERE id = ?", (time.time(), self._owner.id))

    def reclaim(self) -> None:
        """Take from dead runs what they hold; what was lost too often fails."""
        found = [Owner(*row) for row in self._database.read("SELECT * FROM owners")]
        dead = [owner for owner in found if owner.id != self._owner.id and self._pulse.dead(owner)]
        if not dead:
            return
        with self._database.transaction() as connection:
            for owner in dead:
                _take(connection, owner)

    def others(self) -> list[str]:
        """The runs that hold jobs which this one wants, as "host:process"."""
        rows = self._database.read(
            "SELECT DISTINCT host || ':' || process FROM jobs JOIN temp.wanted USING (key)"
            " JOIN owners ON owners.id = jobs.owner WHERE state = 'running' AND owner != ? ORDER BY 1",
            (self._owner.id,),
        )
        return [row[0] for row in rows]

    def release(self) -> None:
        """Give back what this run still holds; it is no loss of the job's."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'waiting', owner = NULL WHERE owner = ? AND state = 'running'",
                (self._owner.id,),
            )
            connection.execute("DELETE FROM owners WHERE id = ?", (self._owner.id,))


def _keep(connection: sqlite3.Connection, job: Job, outcome: Outcome) -> None:
    done, ended = bool(outcome.report), datetime.now(UTC).isoformat(timespec="seconds")
    verdict = msgspec.json.decode(outcome.report, type=_Report).verdict if done else _Verdict("", 0.0, [])
    told = ("done", verdict.label, verdict.score) if done else ("failed", "", None)
    error = "" if done else outcome.error
    values = (*told, " ".join(verdict.reasons), error, outcome.seconds, outcome.peak_memory, ended, outcome.worker)
    if connection.execute(_END, (*values, job.key)).rowcount and done:
        forget(connection, job.key)
        content = zlib.compress(outcome.report.encode())
        connection.execute("INSERT INTO reports VALUES (?, ?)", (job.key, content))
        files = [(job.key, name, content) for name, content in outcome.files.items()]
        connection.executemany("INSERT INTO files VALUES (?, ?, ?)", files)


def forget(connection: sqlite3.Connection, key: str) -> None:
    """Remove a job's report and files."""
    connection.execute("DELETE FROM reports WHERE key = ?", (key,))
    connection.execute("DELETE FROM files WHERE key = ?", (key,))


def _take(connection: sqlite3.Connection, owner: Owner) -> None:
    held = "WHERE owner = ? AND state = 'running'"
    connection.execute(f"UPDATE jobs SET losses = losses + 1 {held}", (owner.id,))
    ended = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(
        f"UPDATE jobs SET state = 'failed', owner = NULL, error = ?, ended = ?, worker = ? {held} AND losses >= ?",
        (_LOST.format(LOSSES), ended, f"{owner.host}:{owner.process}", owner.id, LOSSES),
    )
    connection.execute(f"UPDATE jobs SET state = 'waiting', owner = NULL {held}", (owner.id,))
    connection.execute("DELETE FROM owners WHERE id = ?", (owner.id,))
