"""``python -m lexkit`` is ``lexkit``."""

from lexkit.cli.main import main

main()
