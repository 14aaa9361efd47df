"""The manifests are valid to Kubernetes' published schemas, and fit each other and the product."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "deploy" / "kubernetes"
DOCUMENTS: list[dict[str, Any]] = [
    document for path in sorted(FOLDER.glob("*.yaml")) for document in yaml.safe_load_all(path.read_text())
]
NAME = "mtls-edge"


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = [each for each in DOCUMENTS if each["kind"] == kind]
    return found


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = of_kind("Deployment")["spec"]["template"]["spec"]
    return spec


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    found: dict[str, Any] = only
    return found


def configuration() -> dict[str, Any]:
    return tomllib.loads(of_kind("ConfigMap")["data"]["edge.toml"])


@pytest.mark.parametrize("version", ["1.31", "1.34", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_a_manifest_is_valid_to_the_schema_without_an_unknown_key(
    document: dict[str, Any], version: str
) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_refuse_what_is_wrong() -> None:
    """Who checks nothing finds nothing."""
    wrong = {**of_kind("Deployment"), "spec": {**of_kind("Deployment")["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.31", strict=True)


def test_everything_is_there() -> None:
    assert {each["kind"] for each in DOCUMENTS} == {
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    }
    assert {each["metadata"]["name"] for each in DOCUMENTS} == {NAME}


def test_everything_selects_the_pods_of_the_deployment() -> None:
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        of_kind("Deployment")["spec"]["selector"]["matchLabels"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        of_kind("Service")["spec"]["selector"],
    ]
    assert selectors == [labels] * 4
    assert of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == NAME


def test_the_pod_keeps_the_restricted_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    of_pod, of_container = pod()["securityContext"], container()["securityContext"]
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["runAsUser"] > 1000
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container["allowPrivilegeEscalation"] is False
    assert of_container["capabilities"] == {"drop": ["ALL"]}
    assert of_container["readOnlyRootFilesystem"] is True
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod())
    assert not any("hostPath" in volume for volume in pod()["volumes"])
    assert pod()["automountServiceAccountToken"] is False


def test_the_user_is_that_of_the_image() -> None:
    text = (FOLDER.parent / "container" / "Containerfile").read_text()
    user = pod()["securityContext"]["runAsUser"]
    assert f"\nUSER {user}:{user}\n" in text


def test_every_volume_is_mounted_whole_and_read_only_so_that_it_is_renewed() -> None:
    mounts = container()["volumeMounts"]
    assert {mount["name"] for mount in mounts} == {volume["name"] for volume in pod()["volumes"]}
    assert not any("subPath" in mount or "subPathExpr" in mount for mount in mounts)
    assert all(mount["readOnly"] for mount in mounts)
    for volume in pod()["volumes"]:
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] == 0o440


def test_every_file_of_the_configuration_is_on_a_volume() -> None:
    mounted = [mount["mountPath"] for mount in container()["volumeMounts"]]
    said = configuration()
    files = [container()["args"][-1]]
    for host in said["hosts"]:
        files += [host["certificate"], host["private_key"]]
    for ca in said["mtls_certificates"]:
        files += [ca["certificate"], *ca["crl"]]
    for file in files:
        assert str(Path(file).parent) in mounted, file
    assert f"{said['server']['state_dir']}/signing-keys" in mounted


def test_ports_are_those_of_the_configuration() -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    server = configuration()["server"]
    assert server["listen"] == [f":{ports['https']}"]
    assert server["admin_listen"].rpartition(":")[2] == str(ports["admin"])
    (port,) = of_kind("Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (443, "https")
    annotations = of_kind("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["admin"])


def test_the_service_has_no_door_to_the_administration_listener() -> None:
    assert [port["name"] for port in of_kind("Service")["spec"]["ports"]] == ["https"]
    for rule in of_kind("NetworkPolicy")["spec"]["ingress"]:
        for port in rule["ports"]:
            assert port["port"] == "https" or rule["from"]


def test_probes_ask_what_they_mean() -> None:
    found = {name: container()[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {name: probe["path"] for name, probe in found.items()} == {
        "startup": "/readyz",
        "readiness": "/readyz",
        "liveness": "/healthz",
    }
    assert {probe["port"] for probe in found.values()} == {"admin"}


def test_there_is_time_to_end() -> None:
    """The kubelet counts from before preStop; 30 seconds is the default of ``drain_timeout``."""
    waits = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert "limits" not in configuration()["server"]
    assert pod()["terminationGracePeriodSeconds"] > waits + 30 + 5


def test_there_are_always_two_and_each_has_the_cpus_of_its_workers() -> None:
    scaler = of_kind("HorizontalPodAutoscaler")["spec"]
    assert scaler["minReplicas"] >= 2
    assert "replicas" not in of_kind("Deployment")["spec"]
    assert of_kind("PodDisruptionBudget")["spec"]["maxUnavailable"] < scaler["minReplicas"]
    workers = configuration()["server"]["workers"]
    assert container()["resources"]["requests"]["cpu"] == str(workers)
