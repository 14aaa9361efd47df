"""A proxy as a Twisted resource. Arguments: the port, key with certificate, the clients' CA."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from comparison.python_peers.origin_pool import ORIGIN_PORT
from comparison.setting import COMMON_NAME, REFUSAL, REFUSED_PATH

reactor: Any = importlib.import_module("twisted.internet.reactor")
ssl: Any = importlib.import_module("twisted.internet.ssl")
protocol: Any = importlib.import_module("twisted.internet.protocol")
client: Any = importlib.import_module("twisted.web.client")
resource: Any = importlib.import_module("twisted.web.resource")
server: Any = importlib.import_module("twisted.web.server")

_ORIGIN = b"http://127.0.0.1:%d" % ORIGIN_PORT
_BODY, _REFUSED = REFUSAL.encode("ascii"), REFUSED_PATH.encode("ascii")
_OWN = frozenset((b"connection", b"date", b"server"))


class Passing(protocol.Protocol):  # type: ignore[misc]  # Twisted is optional, so its types are not known
    """The body of the origin's answer on its way to the client, at its pace, for as long as it is there."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._gone = False
        request.notifyFinish().addErrback(self._leave)

    def _leave(self, _failure: object) -> None:
        self._gone = True

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Let the client's connection pause the origin's."""
        if not self._gone:
            self._request.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Pass it on."""
        if not self._gone:
            self._request.write(data)

    def connectionLost(self, _reason: object) -> None:  # noqa: N802 - Twisted's name
        """The body is over."""
        if not self._gone:
            self._request.unregisterProducer()
            self._request.finish()


class Proxy(resource.Resource):  # type: ignore[misc]  # as above
    """Every path of the server."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self) -> None:
        super().__init__()
        pool = client.HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost = 64
        self._agent = client.Agent(reactor, pool=pool)

    def render(self, request: Any) -> Any:
        """Answer one request."""
        subject = request.transport.getPeerCertificate().get_subject()
        if request.uri.startswith(_REFUSED) or subject.commonName != COMMON_NAME:
            request.setResponseCode(403)
            request.setHeader(b"content-type", b"application/json")
            return _BODY
        body = Passing(request)
        asked = self._agent.request(request.method, _ORIGIN + request.uri, request.requestHeaders)
        asked.addCallback(self._pass_on, request, body)
        return server.NOT_DONE_YET

    def _pass_on(self, answer: Any, request: Any, body: Passing) -> None:
        request.setResponseCode(answer.code)
        for name, values in answer.headers.getAllRawHeaders():
            if name.lower() not in _OWN:
                request.responseHeaders.setRawHeaders(name, values)
        request.setHeader(b"content-length", b"%d" % answer.length)
        answer.deliverBody(body)


def main() -> None:
    port, both, client_ca = sys.argv[1:]
    certificate = ssl.PrivateCertificate.loadPEM(Path(both).read_bytes())
    authority = ssl.Certificate.loadPEM(Path(client_ca).read_bytes())
    options = certificate.options(authority)
    site = server.Site(Proxy(), logPath="access.log", timeout=75)
    reactor.listenSSL(int(port), site, options, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main()
