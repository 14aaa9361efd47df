"""Bodies of any size: every octet arrives, in order, and the workers' memory does not grow with them."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.behaviours import scripted_origin
from tests.e2e.bulk import (
    GIBIBYTE,
    MEBIBYTE,
    blocks,
    curl_download,
    curl_upload,
    numbered,
    sha256,
)
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin, Received, Wire
from tests.e2e.resources import MemoryWatch

FLAT_MIB = 24
"""A few buffers for each transfer; the smallest body that is watched here is eight times as big."""


@pytest.fixture(scope="module")
def bulk_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        origin.on("/numbered", numbered)
        yield origin


@pytest.fixture(scope="module")
def bulk_edge(tmp_path_factory: pytest.TempPathFactory, pki: Path, bulk_origin: Origin) -> Iterator[Edge]:
    config = open_config(pki, bulk_origin.url)
    with Edge(config, tmp_path_factory.mktemp("bulk"), server_ca=pki / "server-ca.pem") as edge:
        warm_up(edge)
        yield edge


def warm_up(edge: Edge) -> None:
    """Let the allocator take what every transfer takes, however small."""
    curl_download(edge, f"/numbered?size={4 * MEBIBYTE}")
    curl_upload(edge, "/upload", 4 * MEBIBYTE)


def send_with_length(client: TlsClient, path: str, size: int) -> None:
    client.send(f"POST {path} HTTP/1.1\r\nHost: open.test\r\nContent-Length: {size}\r\n\r\n".encode())
    for block in blocks(size):
        client.send(block)


def test_a_gibibyte_comes_down_whole_and_costs_no_memory(bulk_edge: Edge) -> None:
    with MemoryWatch(bulk_edge) as memory:
        got = curl_download(bulk_edge, f"/numbered?size={GIBIBYTE}")
    assert (got.exit_code, got.size, got.sha256) == (0, GIBIBYTE, sha256(GIBIBYTE))
    assert memory.growth_mib < FLAT_MIB


def test_a_gibibyte_goes_up_whole_and_costs_no_memory(bulk_edge: Edge) -> None:
    with MemoryWatch(bulk_edge) as memory, raw_tls(bulk_edge, "open.test") as client:
        send_with_length(client, "/upload", GIBIBYTE)
        answer = client.read_answer("POST")
    assert answer.body.decode() == f"{GIBIBYTE} {sha256(GIBIBYTE)}"
    assert memory.growth_mib < FLAT_MIB


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_download_of_unknown_length_comes_whole_and_costs_no_memory(bulk_edge: Edge, framing: str) -> None:
    size = 200 * MEBIBYTE + 1
    with MemoryWatch(bulk_edge) as memory:
        got = curl_download(bulk_edge, f"/numbered?size={size}&framing={framing}")
    assert (got.exit_code, got.size, got.sha256) == (0, size, sha256(size))
    assert memory.growth_mib < FLAT_MIB


def test_an_upload_in_chunks_goes_whole_and_costs_no_memory(bulk_edge: Edge, bulk_origin: Origin) -> None:
    size = 200 * MEBIBYTE + 1
    bulk_origin.forget()
    with MemoryWatch(bulk_edge) as memory:
        sent = curl_upload(bulk_edge, "/upload", size)
    assert (sent.exit_code, sent.body.decode()) == (0, f"{size} {sha256(size)}")
    (received,) = bulk_origin.received("/upload")
    assert received.value("transfer-encoding") == "chunked"
    assert memory.growth_mib < FLAT_MIB


def mirror(received: Received, wire: Wire) -> None:
    """Send the body back while it comes."""
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for data in wire.body():
        wire.send(b"%x\r\n%b\r\n" % (len(data), data))
    wire.send(b"0\r\n\r\n")


def test_an_answer_that_begins_before_its_request_has_ended_comes_whole(
    bulk_edge: Edge, bulk_origin: Origin
) -> None:
    size = 128 * MEBIBYTE
    bulk_origin.on("/mirror", mirror)
    with MemoryWatch(bulk_edge) as memory:
        got = curl_upload(bulk_edge, "/mirror", size)
    assert (got.exit_code, got.size, got.sha256) == (0, size, sha256(size))
    assert memory.growth_mib < FLAT_MIB


def test_a_client_that_does_not_read_makes_the_origin_wait_and_not_the_edge_grow(
    bulk_edge: Edge, bulk_origin: Origin
) -> None:
    sent = 0
    finished = threading.Event()

    def flood(received: Received, wire: Wire) -> None:
        numbered(received, wire)
        finished.set()

    bulk_origin.on("/flood", flood)
    size = 256 * MEBIBYTE
    with MemoryWatch(bulk_edge) as memory, raw_tls(bulk_edge, "open.test") as client:
        client.send(f"GET /flood?size={size} HTTP/1.1\r\nHost: open.test\r\n\r\n".encode())
        time.sleep(2)
        assert not finished.is_set(), "the origin got rid of everything while nobody read"
        while sent < size:
            sent += len(client.read())
    assert memory.growth_mib < FLAT_MIB


def test_an_origin_that_does_not_read_makes_the_client_wait_and_not_the_edge_grow(bulk_edge: Edge) -> None:
    size = 256 * MEBIBYTE
    with MemoryWatch(bulk_edge) as memory, raw_tls(bulk_edge, "open.test") as client:
        sender = threading.Thread(
            target=send_with_length, args=(client, "/slow-upload?seconds=2", size), daemon=True
        )
        sender.start()
        sender.join(1.5)
        assert sender.is_alive(), "the client got rid of everything while nobody read"
        sender.join(60)
        answer = client.read_answer("POST")
    assert answer.body.decode() == f"{size} {sha256(size)}"
    assert memory.growth_mib < FLAT_MIB


def trickle(received: Received, wire: Wire) -> None:
    """Send ``?count=`` octets, one every millisecond."""
    count = int(received.query["count"])
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
    for _ in range(count):
        wire.send(b".")
        time.sleep(0.001)


def test_a_client_that_pipelines_without_end_during_its_download_costs_no_memory(
    bulk_edge: Edge, bulk_origin: Origin
) -> None:
    """What comes while an answer is on its way is left in the kernel, not collected."""
    bulk_origin.on("/trickle", trickle)
    request = b"GET /trickle?count=3000 HTTP/1.1\r\nHost: open.test\r\n\r\n"
    with MemoryWatch(bulk_edge) as memory, raw_tls(bulk_edge, "open.test") as client:
        client.send(request)
        read_while_sending(client, 3000, request * 200)
    assert memory.growth_mib < FLAT_MIB / 2


def read_while_sending(client: TlsClient, size: int, octets: bytes) -> None:
    """Read that many octets, and meanwhile send the others again and again, as fast as they are taken."""
    unsent = b""
    while size > 0:
        if not unsent:
            client.tls.send(octets[:16384])
            unsent = client.tls.bio_read(1 << 20)
        readable, writable, _ = select.select([client.sock], [client.sock], [], 20)
        assert readable or writable, "nothing moves any more"
        if writable:
            unsent = unsent[client.sock.send(unsent) :]
        if readable:
            size -= len(client.read())
