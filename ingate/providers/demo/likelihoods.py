"""How likely each token was, made up: the same token at the same place always is as likely. Knows tokens only."""

import zlib
from collections.abc import Sequence
from typing import Any

MOST_TOLD = 256
"""Tokens at the beginning of an answer whose likelihoods are told: hostile schemas make long answers."""
_LEAST, _STEP = -0.5, 1.25


def likelihood(token: str, place: int) -> float:
    """Returns the natural logarithm of a token's probability."""
    return round(_LEAST * (zlib.crc32(f"{place} {token}".encode()) % 1000) / 1000, 4)


def alternatives(token: str, place: int, number: int) -> list[tuple[str, float]]:
    """Returns the `number` likeliest tokens of a place, the one that was chosen first."""
    chosen = likelihood(token, place)
    return [(token if not rank else f"{token}{rank}", round(chosen - rank * _STEP, 4)) for rank in range(number)]


def openai(pieces: Sequence[str], number: int, start: int = 0) -> list[dict[str, Any]]:
    """Returns the likelihoods of tokens as OpenAI writes them, of the places from `start` on."""
    return [
        _told(token, likelihood(token, place))
        | {"top_logprobs": [_told(*other) for other in alternatives(token, place, number)]}
        for place, token in enumerate(pieces[: max(0, MOST_TOLD - start)], start)
    ]


def completions(pieces: Sequence[str], number: int, start: int = 0, offset: int = 0) -> dict[str, Any]:
    """Returns them as OpenAI's legacy Completions do; `offset` is the characters before the first."""
    pieces = pieces[: max(0, MOST_TOLD - start)]
    offsets = []
    for token in pieces:
        offsets.append(offset)
        offset += len(token)
    places = list(enumerate(pieces, start))
    return {
        "tokens": list(pieces),
        "token_logprobs": [likelihood(token, place) for place, token in places],
        "top_logprobs": [dict(alternatives(token, place, number)) for place, token in places],
        "text_offset": offsets,
    }


def gemini(pieces: Sequence[str], number: int) -> dict[str, Any]:
    """Returns them as Gemini's `logprobsResult`."""
    places = list(enumerate(pieces[:MOST_TOLD]))
    return {
        "chosenCandidates": [_candidate(token, likelihood(token, place)) for place, token in places],
        "topCandidates": [
            {"candidates": [_candidate(*other) for other in alternatives(token, place, number)]}
            for place, token in places
        ],
    }


def _told(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _candidate(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "tokenId": zlib.crc32(token.encode()), "logProbability": logprob}
