"""A store that is open for reading, and the connections that its users borrow, a query each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from lexkit.errors import QueryError, StoreError, first_line
from lexkit.store.files import cursor, open_read_only
from lexkit.store.query import INTERRUPT_INTERVAL


class OpenStore:
    """A store that is open; threads may share it.

    Raises:
        StoreError: no such file, not a lexkit store, or of another schema version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_read_only(path)
        self._is_closed = False
        self._change = threading.Condition()
        self._borrowed: dict[duckdb.DuckDBPyConnection, int] = {}
        """Connections, and the threads that have them."""

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a connection for one block. What fails on it fails because the store is closed, or damaged.

        Raises:
            StoreError: the store is closed, or damaged.
        """
        with self._change:
            self.require_open()
            borrowed = cursor(self._connection)
            self._borrowed[borrowed] = threading.get_ident()
        try:
            yield borrowed
        except (duckdb.Error, QueryError) as error:
            self.require_open()
            if isinstance(error, (duckdb.InterruptException, QueryError)):
                raise
            raise StoreError(f"{self.path}: damaged ({first_line(error)}); build it again") from error
        finally:
            with self._change:
                del self._borrowed[borrowed]  # first: what is closed cannot be interrupted
                borrowed.close()
                self._change.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether the store has been closed."""
        return self._is_closed

    def require_open(self) -> None:
        """Refuse a question to a store that has been closed."""
        if self._is_closed:
            raise StoreError(f"{self.path}: is closed; open it again with lexkit.open")

    def close(self) -> None:
        """Let go of the file; no further connection is lent, and queries on those that are lent are given up."""
        with self._change:
            self._is_closed = True
            own = threading.get_ident()  # which may be here out of a signal handler, in the middle of a query
            while self._borrowed:
                for borrowed in self._borrowed:
                    borrowed.interrupt()
                if set(self._borrowed.values()) == {own}:
                    break
                self._change.wait(INTERRUPT_INTERVAL)
            self._connection.close()
