"""What the demo model says and thinks, in words. Knows texts only."""

import re

REFUSAL = "I am Ingate's demo model that refuses, so I will not answer that."

_GREETING = re.compile(r"\b(hello|hi|hey|greetings|good (morning|afternoon|evening))\b", re.IGNORECASE)
_LONGEST_GREETING = 60
_THOUGHTS = (
    'The user says "{asked}".',
    " I am a demo model, so I quote that and know no real answer.",
    " Whoever wants one can send the same request to a real provider, and I say so.",
)


def say(asked: str, results: list[str], take: int) -> str:
    """Returns the answer to a message, or to the results of tools where there are some; `take` counts from zero."""
    text = _say(asked.strip(), results)
    return f"Take {take + 1}: {text}" if take else text


def thought(asked: str, effort: int) -> str:
    """Returns what is thought of a message, longer the greater the effort, which is 1 to 3."""
    return "".join(_THOUGHTS[:effort]).format(asked=excerpt(asked.strip(), 80))


def excerpt(text: str, longest: int) -> str:
    """Returns `text` on one line and at most `longest` characters, with an ellipsis where it was cut."""
    line = " ".join(text[: longest * 4].split())
    return line if len(line) <= longest and len(text) <= longest * 4 else line[: longest - 1] + "…"


def _say(asked: str, results: list[str]) -> str:
    if results:
        quoted = "; ".join(f'"{excerpt(result, 120)}"' for result in results[:4])
        returned = "The tool returned" if len(results) == 1 else "The tools returned"
        return f"{returned} {quoted}. As Ingate's demo model I pass that on as it is."
    if not asked:
        return "I am Ingate's demo model. There was no text for me to answer."
    if len(asked) <= _LONGEST_GREETING and _GREETING.search(asked):
        return "Hello! I am Ingate's demo model. How can I help you today?"
    said = f'You asked: "{excerpt(asked, 160)}".'
    return f"I am Ingate's demo model. {said} Send the same request to a real provider for a real answer."
