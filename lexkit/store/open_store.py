"""A store that is open for reading, and the connections that it lends for single queries."""

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
    """An open store, which several threads may share.

    Raises:
        StoreError: the file is missing, is not a lexkit store, or has another schema version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_read_only(path)
        self._is_closed = False
        self._change = threading.Condition()
        self._borrowed: dict[duckdb.DuckDBPyConnection, int] = {}
        """Connections in use, with the threads that use them."""

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Context manager. Lend a connection for one block.

        Raises:
            StoreError: the store is closed, or a query of lexkit's own fails because the store is damaged.
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
                del self._borrowed[borrowed]  # before closing, since a closed connection cannot be interrupted
                borrowed.close()
                self._change.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether the store has been closed."""
        return self._is_closed

    def require_open(self) -> None:
        """Raise `StoreError` if the store has been closed."""
        if self._is_closed:
            raise StoreError(f"{self.path}: is closed; open it again with lexkit.open")

    def close(self) -> None:
        """Close the file: lend no more connections, and interrupt the queries on those in use."""
        with self._change:
            self._is_closed = True
            own = threading.get_ident()  # a signal handler may call this in the middle of this thread's own query
            while self._borrowed:
                for borrowed in self._borrowed:
                    borrowed.interrupt()
                if set(self._borrowed.values()) == {own}:
                    break
                self._change.wait(INTERRUPT_INTERVAL)
            self._connection.close()
