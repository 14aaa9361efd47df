"""``edge explain``: what would become of a request, and why, without sending it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

import click
import orjson

from edge.cli.configuration import config_option, configuration
from edge.cli.options import current_time, fail, json_option
from edge.config.errors import ConfigErrors, printable
from edge.config.files import UnreadableFileError, read_file
from edge.config.request_url import (
    LOOPBACK,
    Address,
    RequestUrl,
    read_address,
    read_method,
    read_request_url,
    read_time,
)
from edge.config.schema import Configuration
from edge.config.text import Problem
from edge.explain.certificates import Certificate, CertificateUnreadable, Presented, Unseen, read_presented
from edge.explain.document import document_of
from edge.explain.explanation import Explanation
from edge.explain.explanation import explain as explain_question
from edge.explain.places import Written
from edge.explain.question import Field, Question
from edge.explain.recorded import Recorded, RecordUnusable, find_request
from edge.explain.text import Line, Tone, lines_of
from edge.runtime.prepare import examine
from edge.state.signing_keys import KeyStoreError

_T = TypeVar("_T")
_COLOURS = {Tone.GOOD: "green", Tone.BAD: "red"}


class _Read(click.ParamType[_T], Generic[_T]):
    """A value that a reader of the configuration reads."""

    def __init__(self, name: str, read: Callable[[object], _T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> _T:
        """Return the value; click calls this."""
        if not isinstance(value, str):
            raise TypeError(f"{self.name} from something other than text")
        try:
            return self._read(value)
        except Problem as problem:
            detail = f" ({problem.detail})" if problem.detail else ""
            self.fail(f"{value!r} {problem.says}{detail}; {problem.hint}", param, ctx)


def _read_field(value: object) -> Field:
    name, colon, rest = str(value).partition(":")
    if not colon or not name or any(end in str(value) for end in "\r\n"):
        raise Problem("is no header field", 'write it as "Name: value"')
    return name, rest.strip(" \t")


def _read_certificate(value: object) -> Presented:
    try:
        return read_presented(read_file(Path(str(value))))
    except UnreadableFileError as error:
        raise Problem(f"cannot be read: {error.message}", error.hint) from None
    except CertificateUnreadable as error:
        raise Problem(f"is not usable: {error}", "name a PEM file, the leaf first") from None


@click.command()
@config_option
@click.option("--url", type=_Read("URL", read_request_url), help="https://host/path to ask for.")
@click.option("--method", type=_Read("METHOD", read_method), help="Default GET.")
@click.option(
    "--cert",
    "certificate",
    type=_Read("FILE", _read_certificate),
    help="The client's certificate, and intermediates it sends along. No key is needed.",
)
@click.option("--ip", "client", type=_Read("ADDRESS", read_address), help=f"Default {LOOPBACK}.")
@click.option("--at", type=_Read("TIME", read_time), help="RFC 3339. Default now.")
@click.option(
    "--header", "fields", multiple=True, type=_Read("FIELD", _read_field), help='"Name: value"; repeatable.'
)
@click.option("--sni", help='Server name, if not that of the URL; "" sends none.')
@click.option("--request-id", help="Explain the request of this identifier, found in --log.")
@click.option("--log", "log_path", type=click.Path(path_type=Path), help="The edge's log, in JSON lines.")
@json_option
@click.pass_context
def explain(  # noqa: PLR0913 - one for each option
    context: click.Context,
    config_path: Path,
    *,
    url: RequestUrl | None,
    method: str | None,
    certificate: Presented | None,
    client: Address | None,
    at: datetime | None,
    fields: tuple[Field, ...],
    sni: str | None,
    request_id: str | None,
    log_path: Path | None,
    as_json: bool,
) -> None:
    """Say what the edge would do with a request, and why. Nothing is sent.

    Ends with status 0 if the request is allowed, 1 if it is refused.
    """
    if (request_id is None) != (log_path is None):
        raise click.UsageError("--request-id and --log belong together")
    recorded = None if request_id is None or log_path is None else _find(log_path, request_id)
    if recorded is not None:
        url, method, client, at = _completed(recorded, url, method, client, at)
    if url is None:
        raise click.UsageError("give --url, or --request-id with --log")
    question = Question(
        url=url,
        client=client or LOOPBACK,
        at=(at or current_time()).timestamp(),
        method=method or "GET",
        certificate=_matching(recorded, certificate),
        server_name=url.server_name if sni is None else sni or None,
        fields=fields,
    )
    config = configuration(config_path)
    explanation = _explain(config, question)
    _print(explanation, Written(config), recorded, as_json=as_json)
    context.exit(0 if explanation.is_known and explanation.outcome.allowed else 1)


def _find(log_path: Path, request_id: str) -> Recorded:
    try:
        with log_path.open("rb") as log:
            recorded = find_request(log, request_id)
    except OSError as error:
        raise click.UsageError(f"{log_path} cannot be read: {error.strerror}") from None
    except RecordUnusable as error:
        raise click.UsageError(f"{request_id}: {error}") from None
    if recorded is None:
        fail([f"{log_path}: there is no request {printable(request_id)} in it; check the identifier"])
    return recorded


def _completed(
    recorded: Recorded,
    url: RequestUrl | None,
    method: str | None,
    client: Address | None,
    at: datetime | None,
) -> tuple[RequestUrl, str, Address, datetime]:
    """Take from the log what was not given."""
    try:
        return (
            url or read_request_url(recorded.url),
            method or read_method(recorded.method),
            client or read_address(recorded.client.partition("%")[0]),
            at or datetime.fromtimestamp(recorded.at, UTC),
        )
    except RecordUnusable as error:
        raise click.UsageError(str(error)) from None
    except Problem as problem:
        raise click.UsageError(f"what the log has of the request {problem.says}: {problem.hint}") from None


def _matching(recorded: Recorded | None, certificate: Presented | None) -> Certificate | None:
    """Return what was presented: never another certificate than the log has."""
    if recorded is None:
        return certificate
    if certificate is None:
        presented = Unseen(recorded.certificate_subject, recorded.certificate_sha256)
        return presented if recorded.presented else None
    sha256 = hashlib.sha256(certificate.leaf).hexdigest()
    if sha256 != recorded.certificate_sha256:
        logged = recorded.certificate_sha256 or "none"
        raise click.UsageError(f"--cert is another certificate ({sha256}) than the log has ({logged})")
    return certificate


def _explain(config: Configuration, question: Question) -> Explanation:
    try:
        return explain_question(examine(config, current_time()).snapshot, question)
    except ConfigErrors as errors:
        fail(errors.errors)
    except KeyStoreError as error:
        fail([error])
    except CertificateUnreadable as error:
        raise click.UsageError(f"--cert: {error}") from None


def _print(explanation: Explanation, written: Written, recorded: Recorded | None, *, as_json: bool) -> None:
    if as_json:
        document = document_of(explanation, written, recorded)
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str).decode())
        return
    plain = "NO_COLOR" in os.environ
    for line in lines_of(explanation, written, recorded):
        # Where nobody watches, click leaves the colours out.
        click.secho(line.text, fg=None if plain else _COLOURS.get(line.tone), dim=_dim(line, plain=plain))


def _dim(line: Line, *, plain: bool) -> bool | None:
    return True if line.tone is Tone.ASIDE and not plain else None
