"""``python -m lexkit`` is ``lexkit``."""

from lexkit.cli.main import main

if __name__ == "__main__":
    main()
