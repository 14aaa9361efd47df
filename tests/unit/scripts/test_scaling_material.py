from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from comparison.setting import COMMON_NAME, HOST, Setting, make_pki
from cryptography import x509
from growth.crl import write_crl
from growth.material import RULES_IN_A_POLICY, Material, toml
from growth.tables import TABLES, Size

from edge.config.load import load
from edge.config.schema import Configuration
from edge.runtime.prepare import examine
from edge.trust.crl import read_crl

NOW = datetime.now(UTC)  # noqa: TID251 - the certificates are valid from now on


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return Material(tmp_path_factory.mktemp("material") / "cas", NOW)


@pytest.fixture
def setting(tmp_path: Path, material: Material) -> Setting:
    pki = make_pki(tmp_path / "pki", NOW)
    material.replace_client(pki.client, pki.client_key, pki.client_ca)
    return Setting(tmp_path, pki, 8443, 9000)


def loaded(size: Size, setting: Setting, material: Material) -> Configuration:
    path = setting.directory / "edge.toml"
    path.write_text(toml(size, setting, material), encoding="utf-8")
    return load(path, {})


@pytest.mark.parametrize("entries", [0, 1, 5, 1000])
def test_a_crl_written_by_hand_is_one_that_the_edge_believes(material: Material, entries: int) -> None:
    der = write_crl(material.authority, entries, NOW)
    assert len(x509.load_der_x509_crl(der)) == entries
    crl = read_crl(der, (material.authority.certificate,), NOW, "test")
    assert len(crl.serials) == entries
    assert not crl.is_stale(NOW.timestamp())
    assert crl.is_stale((NOW + timedelta(days=2)).timestamp())


@pytest.mark.parametrize(
    "size",
    [
        Size(),
        Size(hosts=2),
        Size(hosts=5),
        Size(rules=2 * RULES_IN_A_POLICY + 7),
        Size(others=5),
        Size(cas=4),
        Size(revoked=3),
        Size(workers=2),
    ],
)
def test_the_edge_would_start_with_each_configuration(
    setting: Setting, material: Material, size: Size
) -> None:
    config = loaded(size, setting, material)
    built = examine(config, NOW)
    assert len(config.hosts) == size.hosts
    assert config.server.workers == size.workers
    host = built.snapshot.exact[HOST]
    assert host.verifier is not None
    assert len(host.verifier.bundle.certificates) == size.cas
    assert len(built.snapshot.policies_for(HOST).applications) == 2 + size.others


def test_every_host_has_a_ca_of_its_own(setting: Setting, material: Material) -> None:
    hosts = examine(loaded(Size(hosts=6), setting, material), NOW).snapshot.exact.values()
    bundles = {host.verifier.bundle.digest for host in hosts if host.verifier is not None}
    assert len(bundles) == 6


def test_only_the_last_rule_of_the_application_is_the_clients(setting: Setting, material: Material) -> None:
    config = loaded(Size(rules=RULES_IN_A_POLICY + 2), setting, material)
    rules = [rule for policy in config.applications[0].policies for rule in policy.include]
    assert len(rules) == RULES_IN_A_POLICY + 2
    assert [number for number, rule in enumerate(rules) if COMMON_NAME in str(rule)] == [len(rules) - 1]


def test_what_was_made_is_used_again(material: Material) -> None:
    first = [path.read_bytes() for path in material.other_cas(2)]
    assert [path.read_bytes() for path in material.other_cas(3)][:2] == first
    assert len(set(first)) == 2


def test_every_table_grows_one_quantity_only() -> None:
    for table in TABLES:
        assert [count for count, _ in table.steps] == sorted({count for count, _ in table.steps})
        smallest = table.steps[0][1]
        for _, size in table.steps[1:]:
            others = [
                name for name in Size.__dataclass_fields__ if getattr(size, name) != getattr(smallest, name)
            ]
            assert len(others) == 1


def test_steps_can_be_left_out() -> None:
    [hosts] = [table for table in TABLES if table.key == "hosts"]
    assert [count for count, _ in hosts.up_to(100).steps] == [1, 100]
    assert hosts.up_to(0).steps == ()
