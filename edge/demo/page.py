"""The page a browser gets from the demo origin: what ``told`` gathered, readable at a glance.

Everything on it may have been chosen by an attacker, so every value goes through ``html.escape``, and
the policy that goes with the page lets a browser load and run nothing at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape

from edge.demo.told import Assertion, Told

CONTENT_SECURITY_POLICY = b"default-src 'none'; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6b7e; --line: #dde3ea; --paper: #f5f7fa;
  --card: #fff; --good: #12805c; --open: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --soft: #94a3b8; --line: #2b3646;
  --paper: #10161f; --card: #182130; --good: #3ecf9a; --open: #e2b04a; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 52rem; margin: 0 auto; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; color: var(--soft);
  margin: 2rem 0 .5rem; }
p { margin: 0 0 .6rem; color: var(--soft); }
.good { border-left: .3rem solid var(--good); } .good h1 { color: var(--good); }
.open { border-left: .3rem solid var(--open); } .open h1 { color: var(--open); }
header, section > div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
header { padding: 1.2rem 1.4rem .8rem; }
section > div { overflow: hidden; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .5rem 1rem; border-top: 1px solid var(--line); }
tr:first-child > * { border-top: 0; }
th { width: 14rem; font-weight: 500; color: var(--soft); overflow-wrap: anywhere; }
td { font: .875rem/1.6 ui-monospace, monospace; overflow-wrap: anywhere; }
@media (max-width: 36rem) { th, td { display: block; width: auto; } td { border-top: 0; padding-top: 0; } }
"""


def render(told: Told) -> bytes:
    """Return the page as UTF-8."""
    kind, title, text = _headline(told)
    request = [("Method", told.method), ("Target", told.target), ("Body", _body(told))]
    sections = [
        _section("The request", request),
        _section("Session token, signature not checked here", _claims(told.access_jwt)),
        _section("Client certificate, as forwarded", told.client_certificate),
        _section("All headers", told.headers),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>What the origin was told</title>'
        f'<style>{_STYLE}</style></head><body><main><header class="{kind}"><h1>{title}</h1>'
        f"<p>{text}</p></header>{''.join(sections)}</main></body></html>\n"
    ).encode()


def _headline(told: Told) -> tuple[str, str, str]:
    match told.mtls_authenticated:
        case True:
            return "good", "The edge vouches for this client", _greeting(told.access_jwt)
        case False:
            return "open", "No verified certificate", "The edge let this request pass without one."
        case None:
            return "open", "No edge spoke for this client", "There is no single Mtls-Authenticated header."


def _greeting(assertion: Assertion | None) -> str:
    name = (assertion.claims or {}).get("common_name") if assertion else None
    known = f" Its common name is <strong>{escape(name)}</strong>." if isinstance(name, str) and name else ""
    return f"It presented a certificate, and the certificate was verified.{known}"


def _claims(assertion: Assertion | None) -> list[tuple[str, str]]:
    if assertion is None:
        return []
    if assertion.claims is None:
        return [("Cf-Access-Jwt-Assertion", "this is not one JWT")]
    return [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in assertion.claims.items()
    ]


def _body(told: Told) -> str:
    return f"{told.body_size} octets, SHA-256 {told.body_sha256}" if told.body_size else "none"


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<section><h2>{title}</h2><div><table>{body}</table></div></section>" if body else ""
