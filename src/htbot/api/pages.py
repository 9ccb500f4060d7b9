"""Two pages of plain HTML: the open welcome page, and the reference made from the OpenAPI document. No scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from htbot import __version__

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #f3f3f3; border-radius: 4px; padding: 0 .3em }
pre { padding: .7em 1em; overflow-x: auto } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .3em .6em; border-bottom: 1px solid #ddd }
h2 { margin-top: 2rem } h3 code { background: none; padding: 0 }
"""


def _policy() -> str:
    """Only this one style sheet, nothing else (RULINGS 36)."""
    checksum = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    others = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; style-src 'sha256-{checksum}'; {others}"


WELCOME_POLICY = _policy()
REFERENCE_POLICY = WELCOME_POLICY


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def welcome(url: str) -> str:
    """What this is and how to authenticate."""
    shown = escape(url)
    body = f"""<h1>htbot {escape(__version__)}</h1>
<p>A self-hosted trading system for Interactive Brokers. <a href="/dashboard">The dashboard</a> is for people.
This is its REST API; everything but
<code>/health</code> and <code>/ready</code> needs a token.</p>
<p>The first token (role admin) is the value of <code>HTBOT_API_TOKEN</code> in the file <code>.env</code>
of the project's folder. Further ones: <code>htbot token create NAME --role viewer</code>.</p>
<pre>TOKEN=$(sed -n 's/^HTBOT_API_TOKEN=//p' .env)
curl -H "Authorization: Bearer $TOKEN" {shown}/status
curl -H "Authorization: Bearer $TOKEN" {shown}/docs -o htbot-api.html</pre>
<p>The same from the shell, without a token: <code>htbot status</code>.</p>"""
    return _page("htbot", body)


def reference(document: Mapping[str, Any], url: str) -> str:
    """Every endpoint with its parameters, body and answer."""
    parts = [
        f"<h1>htbot {escape(__version__)} REST API</h1>",
        (
            f"<p>Base address <code>{escape(url)}</code>. Send <code>Authorization: Bearer TOKEN</code> or"
            " <code>X-API-Key: TOKEN</code>. Times are ISO 8601 UTC, money is a decimal string, errors are"
            " problem+json. For programs: <code>/openapi.json</code>.</p>"
        ),
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.extend(_operation(path, method, operation))
    parts.append("<h2>Shapes</h2>")
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        parts.extend(_schema(name, schema))
    return _page("htbot REST API", "\n".join(parts))


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3><code>{method.upper()} {escape(path)}</code></h3>"
    yield f"<p><b>{escape(operation.get('summary', ''))}.</b> {escape(operation.get('description', ''))}</p>"
    parameters = operation.get("parameters", [])
    if parameters:
        rows = (
            f"<tr><td><code>{escape(item['name'])}</code> ({item['in']})</td>"
            f"<td>{escape(_type(item['schema']))}</td><td>{escape(item.get('description', ''))}</td></tr>"
            for item in parameters
        )
        yield f"<table>{''.join(rows)}</table>"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        yield f"<p>Body: <code>{escape(_type(body))}</code></p>"
    for status, answer in operation.get("responses", {}).items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        if status.startswith("2") and schema:
            yield f"<p>{status}: <code>{escape(_type(schema))}</code></p>"


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3><code>{escape(name)}</code></h3><p>{escape(schema.get('description', ''))}</p>"
    rows = (
        f"<tr><td><code>{escape(field)}</code></td><td>{escape(_type(kind))}</td></tr>"
        for field, kind in schema.get("properties", {}).items()
    )
    yield f"<table>{''.join(rows)}</table>"


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(_type(option) for option in schema[key]))
    if "enum" in schema or "const" in schema:
        return " | ".join(str(word) for word in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind
