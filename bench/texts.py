"""Text as models and agents write it: prose and code of a seed. It compresses about as real text does. Pure."""

from itertools import accumulate
from random import Random

_SYLLABLES = ("ta", "ren", "lo", "mi", "stra", "ve", "ion", "per", "qua", "el", "sen", "do", "ble", "ü", "con", "ary")
_WORDS = 3000
_CODE_SHARE = 0.25


def text(seed: int, size: int) -> str:
    """Returns `size` characters, the same for the same seed."""
    random = Random(seed)
    words = ["".join(random.choices(_SYLLABLES, k=random.choice((1, 2, 2, 3)))) for _ in range(_WORDS)]
    weights = list(accumulate(1 / rank for rank in range(1, _WORDS + 1)))  # as often as words of a language

    def some(least: int, most: int) -> list[str]:
        return random.choices(words, cum_weights=weights, k=random.randint(least, most))

    parts: list[str] = []
    length = 0
    while length < size:
        part = _code(random, some(6, 30)) if random.random() < _CODE_SHARE else _prose(some(20, 80))
        parts.append(part)
        length += len(part)
    return "".join(parts)[:size]


def _prose(words: list[str]) -> str:
    sentences = (" ".join(words[at : at + 11]).capitalize() for at in range(0, len(words), 11))
    return ". ".join(sentences) + ".\n\n"


def _code(random: Random, names: list[str]) -> str:
    lines = [f'    {name} = found["{name}"].get({random.randint(0, 999)}, {{}})  # "{name}"\n' for name in names]
    return (
        f"```python\ndef {names[0]}(found: dict[str, dict]) -> list:\n{''.join(lines)}    return [{names[-1]}]\n```\n\n"
    )
