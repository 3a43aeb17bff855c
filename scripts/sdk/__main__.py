"""`make sdk`: puts together the clients in each language and builds what is published of them.

`python -m scripts.sdk [LANGUAGE …]` makes build/sdk/<name>/, a project of its language's own kind: what is written by
hand in sdk/<name>/, what is generated, and what is published.
"""

import argparse
from pathlib import Path

from scripts.sdk.projects import LANGUAGES, ROOT


def main() -> None:
    """Makes the languages that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m scripts.sdk", description=__doc__)
    parser.add_argument("languages", nargs="*", choices=[[], *LANGUAGES], metavar="LANGUAGE")
    for language in parser.parse_args().languages or LANGUAGES:
        out = ROOT / "build" / "sdk"
        for project in LANGUAGES[language](out):
            print(Path(project).relative_to(ROOT))


if __name__ == "__main__":
    main()
