"""Tables of what there is one of for each picture: on disk, so that memory does not grow with them.

They are SQLite's, in a file without a name that is gone when they are closed or the process ends.
"""

from __future__ import annotations

import sqlite3

CACHE = 64  # kB of each database that stay in memory


def database(schema: str) -> sqlite3.Connection:
    """An empty database with the tables that `schema` creates; its rows come as dicts.

    Threads may share it under a lock of their own.
    """
    tables = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    tables.row_factory = _as_dict
    # Nothing is ever rolled back, so no journal.
    tables.executescript(f"PRAGMA cache_size = -{CACHE}; PRAGMA journal_mode = OFF; {schema}")
    return tables


def insert(tables: sqlite3.Connection, table: str, row: dict[str, object]) -> bool:
    """Add a row; False, and nothing is added, where one of its key is there already."""
    marks = ", ".join("?" * len(row))
    columns = ", ".join(row)
    statement = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
    return tables.execute(statement, tuple(row.values())).rowcount == 1


def _as_dict(cursor: sqlite3.Cursor, row: tuple) -> dict[str, object]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}
