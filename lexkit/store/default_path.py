"""The store that is opened if none is named, in Python and by the option ``--store`` of the command line."""

from __future__ import annotations

import os
from pathlib import Path

from lexkit.arguments import user_path

ENVIRONMENT = "LEXKIT_STORE"
DEFAULT = "lexkit.duckdb"


def default_path() -> Path:
    """Return ``$LEXKIT_STORE``, or ``lexkit.duckdb`` in the working folder if the variable is not set or empty."""
    return user_path(os.environ.get(ENVIRONMENT) or DEFAULT)
