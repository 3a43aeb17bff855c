"""HTML pages that a browser shows without a script, a font or a picture from anywhere else. Knows no page."""

import base64
import hashlib
from html import escape

from rest_facade.dialects.base import Answer

MEDIA_TYPE = "text/html; charset=utf-8"


def page(title: str, style: str, body: str, *headers: tuple[str, str]) -> Answer:
    """Returns an answer with a page; `body` is HTML, and `headers` are sent beside the policy that allows `style`."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
    return Answer(200, text.encode(), (("Content-Security-Policy", policy), *headers), MEDIA_TYPE)
