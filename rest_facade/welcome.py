"""What a browser finds that opens the gateway's address: what runs here and how to make the first call."""

import base64
import hashlib
from importlib.metadata import version

from rest_facade.accept import quality
from rest_facade.asked import Asked
from rest_facade.dialects.base import Answer

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f4f4f4;padding:1rem;overflow:auto}"
)
_CSP = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}';"
    " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Ingate</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Ingate {version("ingate")}</h1>
<p>This is an LLM gateway. Point the base URL of an OpenAI, Anthropic, Gemini or Ollama client at this address, and give
it an Ingate key as its API key.</p>
<h2>The first call</h2>
<pre>curl -H "X-Ingate-Key: $INGATE_KEY" -H "Content-Type: application/json" \\
  -d '{{"model":"demo","messages":[{{"role":"user","content":"Hello"}}]}}' \\
  THIS-ADDRESS/v1/chat/completions</pre>
<p>The model <code>demo</code> answers where the gateway was started with <code>--demo</code>; otherwise name a model of
one of your providers.</p>
<h2>Where the key is</h2>
<p>With <code>--demo</code>, in the terminal that started the gateway. Otherwise sign up with
<code>POST /api/v1/auth/signup</code>, or ask an owner for a key: <code>POST /api/v1/keys</code> or
<code>ingate keys create</code> make one.</p>
<h2>More</h2>
<ul>
<li><a href="/api/v1/openapi.json">The REST API</a> as an OpenAPI document</li>
<li><a href="/healthz?deep">The health</a> of this process</li>
<li>The documents in <code>docs/</code> of the source: getting-started.md, proxy.md, settings.md</li>
</ul>
</body>
</html>
"""
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="none" stroke="#246" stroke-width="2"'
    ' d="M3 14V5a5 5 0 0 1 10 0v9M8 6v8"/></svg>'
)
_SECONDS = 86400

PAGES = {
    "/": Answer(
        200, _PAGE.encode(), (("Content-Security-Policy", _CSP), ("Vary", "Accept")), "text/html; charset=utf-8"
    ),
    "/favicon.ico": Answer(200, _ICON.encode(), (("Cache-Control", f"public, max-age={_SECONDS}"),), "image/svg+xml"),
}
"""By path."""


def page(asked: Asked) -> Answer | None:
    """Returns what a browser gets that shows no credential, None where it asks for something else."""
    found = PAGES.get(asked.path)
    if found is None or asked.method not in {"GET", "HEAD"}:
        return None
    return found if asked.path != "/" or _wants_html(", ".join(asked.headers.getall("Accept", ()))) else None


def _wants_html(accept: str) -> bool:
    """Tells whether a page is wanted more than an error in JSON; as much is enough where HTML is named."""
    html, exact = quality(accept, "text/html")
    json, _ = quality(accept, "application/json")
    return html > json or (html == json and html > 0 and exact > 0)
