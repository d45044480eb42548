"""Which store is opened if nobody names one; the option ``--store`` of the command line has the same default."""

from __future__ import annotations

import os
from pathlib import Path

from lexkit.arguments import user_path

ENVIRONMENT = "LEXKIT_STORE"
DEFAULT = "lexkit.duckdb"


def default_path() -> Path:
    """Return ``$LEXKIT_STORE``, or else ``lexkit.duckdb`` in the working folder; an empty variable does not count."""
    return user_path(os.environ.get(ENVIRONMENT) or DEFAULT)
