"""Runs samples one after the other, each in a namespace of its own, in the environment of the client that they use.

Reads their sources from standard input, JSON by heading, and prints their outputs likewise.
"""

import contextlib
import io
import json
import sys
import warnings


def main():
    """Runs them in one process, because a client takes seconds to import."""
    warnings.simplefilter("ignore")
    outputs = {}
    for heading, source in json.load(sys.stdin).items():
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(source, heading, "exec"), {"__name__": "__main__"})
        outputs[heading] = output.getvalue()
    sys.stdout.write(json.dumps(outputs))


main()
