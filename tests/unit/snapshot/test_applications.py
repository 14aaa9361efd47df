"""No path that nobody thought of, no rule that can never match, no application that two could mean."""

from __future__ import annotations

import pytest

from edge.access.application import Decision
from tests.unit.snapshot.world import GOOD, SERVER, World, application, ca, host

# --- coverage ----------------------------------------------------------------------------------


def test_a_host_with_a_ca_and_uncovered_paths_has_to_say_what_happens_there(world: World) -> None:
    (error,) = world.errors(SERVER + host() + ca() + application("a.test/ingest"))
    assert "no application covers every path" in error
    assert "hosts[0]" in error


def test_a_host_with_a_ca_and_no_application_has_to_say_what_happens(world: World) -> None:
    (error,) = world.errors(SERVER + host() + ca())
    assert "no application covers every path" in error


@pytest.mark.parametrize("unmatched", ["deny", "pass"])
def test_it_is_enough_to_say_it(world: World, unmatched: str) -> None:
    text = SERVER + host("a.test", f'unmatched = "{unmatched}"') + ca() + application("a.test/ingest")
    assert world.errors(text) == []


@pytest.mark.parametrize("domain", ["a.test", "a.test/", "a.test/*", "*.test"])
def test_an_application_of_every_path_is_enough(world: World, domain: str) -> None:
    assert world.errors(SERVER + host() + ca() + application(domain)) == []


def test_two_halves_are_not_every_path(world: World) -> None:
    text = SERVER + host() + ca() + application("a.test/a*") + application("a.test/b*")
    assert len(world.errors(text)) == 1


def test_a_host_without_a_ca_need_not_say_it(world: World) -> None:
    assert world.errors(SERVER + host() + application("a.test/x", '"everyone"', decision="bypass")) == []


def test_an_application_of_a_wildcard_host_covers_it(world: World) -> None:
    assert world.errors(SERVER + host("*.test") + ca("*.test") + application("*.test")) == []


def test_an_application_of_one_name_does_not_cover_a_wildcard_host(world: World) -> None:
    assert len(world.errors(SERVER + host("*.test") + ca("*.test") + application("a.test"))) == 1


# --- rules -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule", ['"certificate"', '{ common_name = "x" }', '{ certificate_serial = { serial = "0a" } }']
)
def test_a_certificate_rule_on_a_host_without_a_ca_is_an_error(world: World, rule: str) -> None:
    (error,) = world.errors(SERVER + host() + application("a.test", rule))
    assert "has no client CA" in error


def test_a_certificate_rule_in_a_group_counts_too(world: World) -> None:
    group = '[[groups]]\nid = "ops"\ninclude = [{ common_name = "x" }]\n'
    text = SERVER + host() + group + application("a.test", '{ group = { id = "ops" } }')
    (error,) = world.errors(text)
    assert "has no client CA" in error


def test_a_certificate_rule_is_fine_if_one_host_of_its_destination_has_a_ca(world: World) -> None:
    text = SERVER + host() + host("b.test") + ca() + application("*.test")
    assert world.errors(text) == []


def test_an_ip_rule_needs_no_ca(world: World) -> None:
    assert world.errors(SERVER + host() + application("a.test", '{ ip = { ip = "192.0.2.0/24" } }')) == []


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ('{ common_nam = "x" }', "common_nam"),
        ('{ ip = { ip = "192.0.2.1/24" } }', "192.0.2.1/24"),
        ('{ group = { id = "nobody" } }', "nobody"),
        ('{ certificate_serial = { serial = "xyz" } }', "serial"),
    ],
)
def test_a_rule_that_means_nothing_is_an_error_at_its_place(world: World, rule: str, why: str) -> None:
    errors = world.errors(SERVER + host() + ca() + application("a.test", rule))
    assert any(why in error and "applications[0].policies[0].include" in error for error in errors)


def test_a_group_that_means_itself_is_an_error(world: World) -> None:
    group = '[[groups]]\nid = "ops"\ninclude = [{ group = { id = "ops" } }]\n'
    assert world.errors(GOOD + group)


# --- destinations ------------------------------------------------------------------------------


def test_two_applications_of_one_destination_are_an_error(world: World) -> None:
    twin = application().replace('name = "a.test"', 'name = "twin"', 1)
    (error,) = world.errors(GOOD + twin)
    assert "more than one application" in error


def test_two_spellings_of_one_destination_are_an_error(world: World) -> None:
    twin = application("A.TEST.").replace('name = "A.TEST."', 'name = "twin"', 1)
    assert len(world.errors(GOOD + twin)) == 1


def test_an_alias_and_its_host_are_one_destination(world: World) -> None:
    text = SERVER + host("a.test", 'aliases = ["b.test"]') + ca() + application() + application("b.test")
    (error,) = world.errors(text)
    assert "more than one application" in error


@pytest.mark.parametrize(
    "domain", ["a.test//x", "a.test/x?y", "a.test/%2f", "https://a.test/x", "a.test:443"]
)
def test_a_destination_that_means_nothing_is_an_error(world: World, domain: str) -> None:
    assert world.errors(GOOD + application(domain))


def test_a_path_is_normalised_as_requests_are(world: World) -> None:
    snapshot = world.snapshot(GOOD + application("a.test/%7euser"))
    found = snapshot.policies_for("a.test").find(b"/~user/x")
    assert found is not None
    assert found.name == "a.test/%7euser"


def test_an_application_that_is_hidden_is_warned_of(world: World) -> None:
    text = SERVER + host("a.test") + ca() + application("a.test") + application("*.test")
    assert any("hides it entirely" in warning for warning in world.warnings(text))


# --- what comes of it --------------------------------------------------------------------------


def test_the_more_specific_application_governs(world: World) -> None:
    snapshot = world.snapshot(GOOD + application("a.test/x", '"everyone"', decision="deny"))
    table = snapshot.policies_for("a.test")
    inner, outer = table.find(b"/x/y"), table.find(b"/xy")
    assert inner is not None
    assert outer is not None
    assert (inner.name, outer.name) == ("a.test/x", "a.test")
    assert inner.policies[0].decision is Decision.DENY


def test_an_application_of_an_alias_governs_its_host(world: World) -> None:
    text = SERVER + host("a.test", 'aliases = ["b.test"]') + ca() + application("b.test")
    assert world.snapshot(text).policies_for("a.test").find(b"/") is not None


def test_an_audience_is_the_same_after_a_restart_and_another_in_another_world(world: World) -> None:
    def aud(text: str) -> str:
        found = world.snapshot(text).policies_for("a.test").find(b"/")
        assert found is not None
        return found.aud

    issuer = '[access]\nissuer = "https://other.test"\n'
    assert aud(GOOD) == aud(GOOD)
    assert aud(GOOD.replace('name = "a.test"\ndomain', 'name = "renamed"\ndomain')) == aud(GOOD)
    assert aud(SERVER + issuer + GOOD.removeprefix(SERVER)) != aud(GOOD)


def test_the_settings_of_an_application_are_its_own(world: World) -> None:
    lines = (
        'session_duration = "1h"',
        "recheck_certificate = false",
        'same_site_cookie_attribute = "strict"',
    )
    text = (
        SERVER
        + host()
        + ca()
        + application("a.test", '"certificate"', *lines, "path_cookie_attribute = true")
    )
    found = world.snapshot(text).policies_for("a.test").find(b"/")
    assert found is not None
    assert found.session_seconds == 3600
    assert found.token_stands_in
    assert b"SameSite=Strict" in found.cookie_attributes
