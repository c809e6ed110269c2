"""Starts the `festival` command, so that Ctrl-C is quiet even while modules are imported."""

import signal
import sys


def main() -> None:
    """Run the command; exit status 130 after Ctrl-C, as a shell reports it."""
    try:
        from festival.cli.main import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
