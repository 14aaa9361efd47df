"""The manifests' configuration serves, with its volumes laid out and renewed as the kubelet does it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.certificates import Authority
from tests.crls import crl_of, pem
from tests.e2e.clients import raw_tls
from tests.e2e.command_line import run
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.test_reload import wait_for
from tests.e2e.verdicts import verdict

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
HOST = "www.example.com"
TAKES_NO_FIXED_PORT = {'listen = [":8443"]': 'listen = ["127.0.0.1:0"]'}


def manifest(name: str) -> Any:
    return yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text())


@dataclass(frozen=True, slots=True)
class Volume:
    """A directory whose files the kubelet exchanges all at once: it turns the link ``..data``."""

    path: Path

    def write(self, files: dict[str, bytes]) -> None:
        """Put other files in the place of those that are there."""
        self.path.mkdir(parents=True, exist_ok=True)
        former = self.path / "..data"
        number = len(list(self.path.glob("..v*")))
        fresh = self.path / f"..v{number}"
        fresh.mkdir()
        for name, octets in files.items():
            (fresh / name).write_bytes(octets)
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(Path("..data") / name)
        link = self.path / "..data_tmp"
        link.symlink_to(fresh.name)
        old = former.resolve() if former.is_symlink() else None
        link.replace(former)
        if old is not None:
            shutil.rmtree(old)


class Cluster:
    """The volumes of the pods, and the pods."""

    def __init__(self, folder: Path, server_root: Authority, origin: Origin) -> None:
        self.folder = folder
        self.ca = Authority("Client CA")
        self.client = self.ca.issue("James Royal")
        (config,) = manifest("configmap")
        text = config["data"]["edge.toml"].replace("http://app.default.svc.cluster.local:8080", origin.url)
        for said, instead in TAKES_NO_FIXED_PORT.items():
            assert said in text
            text = text.replace(said, instead)
        # Every pod has an address of its own; here one port would be for all.
        self.text = "\n".join(line for line in text.splitlines() if "admin_listen" not in line)
        server = server_root.issue_server(HOST)
        self.server = {"tls.crt": server.pem(), "tls.key": server.key_pem()}
        self.server_ca = server_root.write(folder / "server-ca.pem")
        self.lists = 0
        self.signing_keys = self._make_signing_keys()

    def _make_signing_keys(self) -> dict[str, bytes]:
        """As the guide says: with ``edge keys rotate``, once, for all."""
        place = self.folder / "keys"
        place.mkdir()
        (place / "edge.toml").write_text(self._mounted(place, "state"))
        got = run("keys", "rotate", "-c", place / "edge.toml")
        assert got.status == 0
        return {path.name: path.read_bytes() for path in (place / "state" / "signing-keys").iterdir()}

    def _mounted(self, pod: Path, state: str) -> str:
        text = self.text.replace("/var/lib/mtls-edge", str(pod / state))
        return text.replace("/etc/mtls-edge", str(pod / "etc"))

    def revoked(self, *, client: bool) -> dict[str, bytes]:
        """The files of the client CA: its certificate, and a list with the client or without."""
        self.lists += 1
        revoked = [self.client] if client else []
        return {"ca.pem": self.ca.bundle, "ca.crl": pem(crl_of(self.ca, revoked, number=self.lists))}

    def pod(self, name: str) -> Edge:
        """A replica, with its volumes where the Deployment mounts them; not started."""
        pod = self.folder / name
        pod.mkdir()
        Volume(pod / "etc" / "server").write(self.server)
        Volume(pod / "etc" / "client-ca").write(self.revoked(client=False))
        Volume(pod / "state" / "signing-keys").write(self.signing_keys)
        return Edge(self._mounted(pod, "state"), pod, server_ca=self.server_ca)


@pytest.fixture
def cluster(tmp_path: Path, server_root: Authority, origin: Origin) -> Cluster:
    return Cluster(tmp_path, server_root, origin)


@pytest.fixture
def pods(cluster: Cluster) -> Iterator[list[Edge]]:
    with ExitStack() as stack:
        yield [stack.enter_context(cluster.pod(name)) for name in ("one", "two")]


def ask(edge: Edge, cluster: Cluster, path: str = "/") -> tuple[int, str]:
    with raw_tls(edge, HOST, cluster.client) as client:
        return verdict(client.ask(path, host=HOST))


def test_all_replicas_sign_with_the_same_keys(cluster: Cluster, pods: list[Edge]) -> None:
    published = set()
    for edge in pods:
        assert ask(edge, cluster) == (200, "")
        with raw_tls(edge, HOST) as client:
            assert verdict(client.ask("/", host=HOST)) == (403, "client_certificate_required")
            published.add(client.ask("/cdn-cgi/access/certs", host=HOST).body)
    assert len(published) == 1
    (kid,) = (name.removesuffix(".pem") for name in cluster.signing_keys)
    assert kid.encode() in published.pop()


def test_another_signing_key_is_taken_up_with_the_next_change_of_the_configuration(
    cluster: Cluster, pods: list[Edge]
) -> None:
    edge = pods[0]
    got = run("keys", "rotate", "-c", cluster.folder / "keys" / "edge.toml", "--json")
    fresh = Path(got.json["file"])
    keys = {**cluster.signing_keys, fresh.name: fresh.read_bytes()}
    Volume(edge.config_path.parent / "state" / "signing-keys").write(keys)
    edge.config_path.write_text(edge.config_path.read_text() + "# another key\n")
    assert "signing keys changed" in edge.wait_for_event("reload_done")["changed"]
    with raw_tls(edge, HOST) as client:
        published = client.ask("/cdn-cgi/access/certs", host=HOST).body
    for name in keys:
        assert name.removesuffix(".pem").encode() in published


def test_a_secret_that_changes_is_in_force_without_a_signal(cluster: Cluster, pods: list[Edge]) -> None:
    edge = pods[0]
    with raw_tls(edge, HOST, cluster.client) as client:
        assert verdict(client.ask(host=HOST)) == (200, "")
        Volume(edge.config_path.parent / "etc" / "client-ca").write(cluster.revoked(client=True))
        wait_for(
            lambda: verdict(client.ask(host=HOST)) == (403, "client_certificate_revoked"), "the list is read"
        )


def test_a_renewed_server_certificate_is_taken_up_by_itself(
    cluster: Cluster, pods: list[Edge], server_root: Authority
) -> None:
    edge, renewed = pods[0], server_root.issue_server(HOST)
    Volume(edge.config_path.parent / "etc" / "server").write(
        {"tls.crt": renewed.pem(), "tls.key": renewed.key_pem()}
    )
    edge.wait_for_event("reload_done")
    with raw_tls(edge, HOST, cluster.client) as client:
        assert client.server_certificate is not None
        assert client.server_certificate.serial_number == renewed.certificate.serial_number
