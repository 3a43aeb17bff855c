"""Runs the command line as `python -m ingate.cli`."""

from ingate.cli import main

main()
