"""Runs the command line as `python -m ingate`."""

from ingate.cli import main

main()
