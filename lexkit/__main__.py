"""Run the command line: ``lexkit``, and ``python -m lexkit``, which does the same."""

import signal


def main() -> None:
    """Run the command line and exit. Ctrl-C while modules are imported ends the process without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lexkit.cli.main import main as run

    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
