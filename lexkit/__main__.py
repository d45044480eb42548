"""Run the command line with ``python -m lexkit``, which does the same as ``lexkit``."""

from lexkit.cli.main import main

if __name__ == "__main__":
    main()
