"""What a browser finds that opens the gateway's address: what runs here and how to make the first call."""

from importlib.metadata import version

from rest_facade.accept import quality
from rest_facade.asked import Asked
from rest_facade.dialects.base import Answer
from rest_facade.page import page as page_of

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f4f4f4;padding:1rem;overflow:auto}"
)
_BODY = f"""<h1>Ingate {version("ingate")}</h1>
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
<li><a href="/docs">The REST API</a>, and the same as an <a href="/openapi.json">OpenAPI document</a></li>
<li><a href="/healthz?deep">The health</a> of this process</li>
<li>The documents in <code>docs/</code> of the source: getting-started.md, proxy.md, settings.md</li>
</ul>
"""
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="none" stroke="#246" stroke-width="2"'
    ' d="M3 14V5a5 5 0 0 1 10 0v9M8 6v8"/></svg>'
)
_SECONDS = 86400

PAGES = {
    "/": page_of("Ingate", _STYLE, _BODY, ("Vary", "Accept")),
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
