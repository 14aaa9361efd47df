"""The status page in a real browser: what a person sees, as it happens, without a word of complaint.

``EDGE_TEST_ARTEFACTS`` names a directory in which the pictures are kept.
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential
from tests.e2e.admin import Admin, running
from tests.e2e.behaviours import scripted_origin
from tests.e2e.browser import Page, find_browser, open_page
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.crl_edge import Publisher
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin

BROWSER = find_browser()
pytestmark = [
    pytest.mark.skipif(
        BROWSER is None, reason="NO BROWSER: nobody looks at the status page; install chromium"
    ),
    pytest.mark.timeout(180),
]
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def own_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, own_origin: Origin, ca_b: Authority
) -> Iterator[tuple[Edge, Admin]]:
    directory = tmp_path_factory.mktemp("page")
    Publisher(ca_b, directory / "b.crl")
    config = (
        server_table()
        + host_table(pki, "a.test", own_origin.url)
        + host_table(pki, "b.test", own_origin.url)
        + host_table(pki, "require.test", own_origin.url, 'client_certificate = "require"')
        + ca_table("CA A", pki / "ca-a.pem", "a.test", "require.test")
        + ca_table("CA B", pki / "ca-b.pem", "b.test")
        + f'crl = ["{directory / "b.crl"}"]\n'
        + application_table("a.test")
        + application_table("b.test")
        + application_table("require.test")
    )
    with running(config, directory, pki) as both:
        yield both


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert BROWSER is not None
    with open_page(BROWSER, tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(browser_page: Page, site: tuple[Edge, Admin]) -> Page:
    browser_page.open(f"http://127.0.0.1:{site[1].port}/")
    browser_page.complaints.clear()
    return browser_page


def keep(page: Page, directory: Path, name: str) -> None:
    """Take a picture, and keep it where somebody wants it."""
    path = directory / f"{name}.png"
    page.screenshot(path)
    octets = path.read_bytes()
    width, height = struct.unpack(">II", octets[16:24])
    assert octets.startswith(b"\x89PNG")
    assert width >= 300
    assert height >= 500
    assert len(octets) > 10_000, "there is something on it"
    wanted = os.environ.get("EDGE_TEST_ARTEFACTS")
    if wanted:
        Path(wanted).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, wanted)


def test_a_person_sees_how_the_edge_is_and_the_browser_has_nothing_to_complain_of(
    page: Page, site: tuple[Edge, Admin], ca_a: Authority, tmp_path: Path
) -> None:
    edge, admin = site
    james: Credential = ca_a.issue(EVIL)
    for _ in range(3):
        with raw_tls(edge, "a.test", james) as client:
            assert client.ask("/echo").status == 200
            assert client.ask("/", host="b.test").status == 421
    with raw_tls(edge, "a.test") as client:
        assert client.ask("/never").status == 403
    page.until("document.body.innerText.includes('client_certificate_required')")
    text = page.text()
    for word in ("Serving", "generation 1", "a.test", "b.test", "require.test", "CA A", "CA B", "no CRL"):
        assert word.lower() in text.lower(), word
    for worker in admin.workers:
        assert str(worker) in text
    assert r"CN=\<img src=x onerror=alert(1)\>" in text, "a stranger's text is text"
    assert page.value("document.images.length") == 0
    page.until("[...document.querySelectorAll('figure strong')].some(e => parseFloat(e.textContent) > 0)")
    page.until("document.querySelector('polyline').getAttribute('points').length > 10")
    page.show_as(1200, 1000)
    keep(page, tmp_path, "status-light")
    page.show_as(1200, 1000, dark=True)
    keep(page, tmp_path, "status-dark")
    page.show_as(390, 844)
    keep(page, tmp_path, "status-phone")
    assert page.value("document.documentElement.scrollWidth") <= 390, "nothing sticks out on a phone"
    page.show_as(1200, 1000)
    assert page.complaints == []


def test_the_page_follows_without_being_loaded_again(page: Page, site: tuple[Edge, Admin]) -> None:
    edge, admin = site
    page.value("window.stays = 1; document.querySelector('#live table').stays = 1")
    before = page.value("document.getElementById('time').textContent")
    victim = admin.workers[0]
    os.kill(victim, signal.SIGKILL)
    fresh = edge.wait_for_event("worker_started", count=3)["pid"]
    shown = "document.body.innerText.includes"
    page.until(f"{shown}('{fresh}') && !{shown}('{victim}')")
    page.until(f"document.getElementById('time').textContent !== '{before}'")
    assert page.value("window.stays") == 1
    assert page.value("document.querySelector('#live table').stays") == 1, "what stays the same stays there"
    assert page.complaints == []


def test_a_failed_reload_is_told_in_full(page: Page, site: tuple[Edge, Admin]) -> None:
    edge, _ = site
    good = edge.config_path.read_text()
    edge.config_path.write_text(good + '\n[nonsense]\nx = "<b>bold</b>"\n')
    page.until("document.body.innerText.includes('nonsense: unknown key')")
    assert "The configuration before it is in force." in page.text()
    edge.config_path.write_text(good)
    page.until("!document.body.innerText.includes('nonsense')")
    assert page.complaints == []


def test_a_page_that_has_lost_contact_says_so_and_goes_on_when_it_is_back(
    page: Page, site: tuple[Edge, Admin]
) -> None:
    edge, admin = site
    os.kill(admin.pid, signal.SIGSTOP)
    page.until("document.body.innerText.includes('No contact for')", within=30)
    assert page.value("getComputedStyle(document.querySelector('main')).opacity") < "1"
    os.kill(admin.pid, signal.SIGKILL)
    edge.wait_for_event("admin_started", count=2)
    page.until("document.getElementById('contact').hidden", within=30)
    assert page.value("document.title") == "mtls-edge: serving"


def test_another_site_reads_nothing(page: Page, site: tuple[Edge, Admin]) -> None:
    """The same browser, on a page of another origin, asks with everything that it has."""
    port = site[1].port
    page.open(f"http://localhost:{port}/status?format=json")
    for path in ("/status", "/metrics", "/healthz"):
        told = page.value(
            f"fetch('http://127.0.0.1:{port}{path}').then(a => a.text(), e => 'refused by ' + e.name)"
        )
        assert told == "refused by TypeError", told
    page.complaints.clear()
