"""What the Containerfile says, for tests to do without building it."""

import json
import re

from tests.support.tools import ROOT


def instructions(name):
    """Returns what stands behind each instruction of this name, in order."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [rest.strip() for word, _, rest in (line.partition(" ") for line in lines) if word == name]


def command(name):
    """Returns the argv that the last instruction of this name states in JSON."""
    text = instructions(name)[-1]
    return json.loads(text[text.index("[") :])


def copied():
    """Returns the paths in the checkout that the build copies, with where each goes."""
    for text in instructions("COPY"):
        *sources, target = text.split()
        if not sources[0].startswith("--from="):
            for source in sources:
                yield source, f"{target}{source.rpartition('/')[2]}" if target.endswith("/") else target


def variables():
    """Returns what ENV sets in the image that runs."""
    return dict(word.split("=", 1) for word in instructions("ENV")[-1].split())
