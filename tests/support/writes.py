"""What each transaction of a database writes, by the names of tables. Sees every statement, however it is made."""

import re
from contextlib import contextmanager

from sqlalchemy import event

_WRITE = re.compile(r'\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)
_BESIDE = re.compile(r"UPDATE keys SET last_used_at\b")
"""A job of its own notes when keys were used."""
_KEY = "tests.writes"


@contextmanager
def watched(database):
    """Yields a list to which each transaction that commits adds the tables that it wrote to, as a set."""
    committed = []
    # SQLite has a connection of its own for writing.
    engines = {database.engine.sync_engine, database._writer.sync_engine}

    def execute(connection, _cursor, statement, *_):
        found = _WRITE.match(statement)
        if found and not _BESIDE.match(statement):
            connection.info.setdefault(_KEY, set()).add(found[1])

    def commit(connection):
        if tables := connection.info.pop(_KEY, None):
            committed.append(tables)

    def rollback(connection):
        connection.info.pop(_KEY, None)

    hooks = (("before_cursor_execute", execute), ("commit", commit), ("rollback", rollback))
    listening = [(engine, *hook) for engine in engines for hook in hooks]
    for one in listening:
        event.listen(*one)
    try:
        yield committed
    finally:
        for one in listening:
            event.remove(*one)
