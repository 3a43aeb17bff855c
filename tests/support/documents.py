"""Samples of the documents, by language and heading, made to run against a gateway of a test. Knows no document."""

import re

_SAMPLE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_SECTION = re.compile(r"^## +(.+)$", re.MULTILINE)


def samples(path, language):
    """Returns the samples in that language, in order."""
    return [text for of, text in _SAMPLE.findall(path.read_text()) if of == language]


def samples_by_heading(path, language):
    """Returns the sample below each heading of the second level that has one, by the heading."""
    _, *parts = _SECTION.split(path.read_text())
    sections = zip(parts[::2], parts[1::2], strict=True)
    found = {heading: [text for of, text in _SAMPLE.findall(body) if of == language] for heading, body in sections}
    return {heading: texts[0] for heading, texts in found.items() if texts}


def named_sample(path, name):
    """Returns the file to which the page gives that name."""
    [found] = re.findall(rf"`{re.escape(name)}`:\n\n```\w+\n(.*?)```", path.read_text(), re.DOTALL)
    return found


def addressed(sample, url, key, grpc=""):
    """Returns a sample with the URL, key and gRPC target of a gateway in place of those that documents state."""
    for stated, real in (("http://127.0.0.1:8080", url), ("sk-ingate-…", key), ("127.0.0.1:50051", grpc)):
        sample = sample.replace(stated, real)
    return sample
