"""Runs the policy tests of a configuration: each is a question whose answer the operator wrote down.

Whoever puts a configuration in force runs them before: at the start, at ``edge check`` and at every reload.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from edge.config.errors import ConfigError, ConfigErrors
from edge.config.pem import Pem
from edge.config.schema import Configuration, PolicyTest
from edge.explain.certificates import Certificate, CertificateUnreadable, MadeUp, read_presented
from edge.explain.question import Question
from edge.explain.worker import Outcome, walk
from edge.snapshot.snapshot import Snapshot


def run_tests(config: Configuration, snapshot: Snapshot, now: datetime) -> tuple[ConfigError, ...]:
    """Return an error for each test that does not come true; ``snapshot`` was built from ``config``.

    Reads the certificates that the tests name, and nothing else.
    """
    return tuple(
        error for index in range(len(config.tests)) for error in _errors(config, index, snapshot, now)
    )


def _errors(config: Configuration, index: int, snapshot: Snapshot, now: datetime) -> tuple[ConfigError, ...]:
    test = config.tests[index]
    try:
        outcome = walk(snapshot, _question(test, now)).outcome
    except ConfigErrors as errors:
        return errors.errors
    except CertificateUnreadable as error:
        where = test.certificate
        return (where.error(str(error), "name a PEM file, the leaf first"),) if where else ()
    title = f'the test "{test.name}"' if test.name else f"{test.method} {config.shown('tests', index, 'url')}"
    return tuple(
        config.error(("tests", index), f"{title}: {failure}", "edge explain shows the whole argument")
        for failure in _failures(test, outcome)
    )


def _failures(test: PolicyTest, outcome: Outcome) -> Iterator[str]:
    if test.expect != outcome.word:
        yield f"expected {test.expect}, but: {_said(outcome.word, outcome.detail)}"
    if test.would_be not in (None, outcome.would_be):
        detail = outcome.detail if outcome.reported is None else outcome.reported.detail
        yield f"without report_only, expected {test.would_be}, but: {_said(outcome.would_be, detail)}"


def _said(word: str, detail: str) -> str:
    return f"{word}: {detail}" if detail else word


def _question(test: PolicyTest, now: datetime) -> Question:
    return Question(
        url=test.url,
        client=test.ip,
        at=(test.at or now).timestamp(),
        method=test.method,
        certificate=_certificate(test.certificate, test.common_name),
        server_name=test.url.server_name,
    )


def _certificate(pem: Pem | None, common_name: str | None) -> Certificate | None:
    if pem is not None:
        return read_presented(pem.read())
    return None if common_name is None else MadeUp(common_name)
