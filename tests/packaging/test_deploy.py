"""No container engine is at hand, so the files of docs/deploy are read: do they say what the program knows?"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import metrics
from gateway.cli import main
from gateway.settings.load import load
from gateway.settings.models import Settings

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
SECRETS = {"JWT_SECRET": "j" * 40, "POSTGRES_PASSWORD": "p" * 20}


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())  # type: ignore[no-any-return]


def kubernetes(kind: str, name: str = "weighbridge") -> dict[str, Any]:
    objects = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    found = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1
    return found[0]  # type: ignore[no-any-return]


def pod() -> dict[str, Any]:
    return kubernetes("StatefulSet")["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def of_kubernetes(folder: Path) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(kubernetes("ConfigMap")["data"]["gateway.yaml"])
    return path


@pytest.fixture(params=["compose", "kubernetes"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return load(DEPLOY / "gateway.yaml" if request.param == "compose" else of_kubernetes(tmp_path), SECRETS)


def test_both_configurations_load_and_share_budgets_and_plans(settings: Settings) -> None:
    assert settings.ledger.url.startswith("redis://")
    assert (settings.store or "").startswith("postgresql://")
    assert settings.listen.host == "0.0.0.0"  # type: ignore[union-attr]  # noqa: S104  (the container's own network)


def test_every_command_is_one_of_the_program() -> None:
    services = [
        each["command"][0]
        for each in compose()["services"].values()
        if each.get("image") == "weighbridge" and "command" in each
    ]
    containers = [each["args"][0] for each in (*pod()["initContainers"], *pod()["containers"])]
    assert {*services, *containers} <= main.commands.keys()
    assert {"migrate", "demo", "serve"} <= {*services, *containers}


def test_redis_keeps_what_it_counts() -> None:
    command = " ".join(compose()["services"]["redis"]["command"])
    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command


def test_there_are_three_gateways_and_two_stay_while_one_is_replaced() -> None:
    assert compose()["services"]["gateway"]["deploy"]["replicas"] == 3
    assert kubernetes("StatefulSet")["spec"]["replicas"] == 3
    assert kubernetes("PodDisruptionBudget")["spec"]["minAvailable"] == 2


def test_each_gateway_has_a_volume_of_its_own_for_its_journal(tmp_path: Path) -> None:
    gateways = kubernetes("StatefulSet")["spec"]
    (claim,) = gateways["volumeClaimTemplates"]
    (container,) = pod()["containers"]
    mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    ledger = load(of_kubernetes(tmp_path), SECRETS).ledger
    assert Path(ledger.path or "").parent == Path(mounted[claim["metadata"]["name"]])
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    gigabytes = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi"))
    assert gigabytes << 30 > ledger.keep_size
    assert "data" not in {each["name"] for each in pod()["volumes"]}
    assert set(gateways["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}


def test_selectors_and_names_fit_together() -> None:
    labels = kubernetes("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    headless = kubernetes("Service", kubernetes("StatefulSet")["spec"]["serviceName"])
    assert headless["spec"]["clusterIP"] == "None"
    for each in (headless, kubernetes("Service")):
        assert each["spec"]["selector"] == labels
    for each in (kubernetes("StatefulSet"), kubernetes("PodDisruptionBudget")):
        assert each["spec"]["selector"]["matchLabels"] == labels
    scaled = kubernetes("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("StatefulSet", kubernetes("StatefulSet")["metadata"]["name"])


def test_what_is_in_flight_has_the_time_to_end(tmp_path: Path) -> None:
    stop_s = load(of_kubernetes(tmp_path), SECRETS).limits.stop_timeout.seconds
    (container,) = pod()["containers"]
    pause_s = 5
    assert f"sleep({pause_s})" in " ".join(container["lifecycle"]["preStop"]["exec"]["command"])
    assert pod()["terminationGracePeriodSeconds"] > stop_s + pause_s
    of_compose = load(DEPLOY / "gateway.yaml", SECRETS).limits.stop_timeout.seconds
    assert int(compose()["services"]["gateway"]["stop_grace_period"].rstrip("s")) > of_compose


def test_probes_ask_what_is_there() -> None:
    (container,) = pod()["containers"]
    asked = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert asked == {
        "startup": "/-/health/live",
        "liveness": "/-/health/live",
        "readiness": "/-/health/ready",
    }
    assert "GET /-/health/ready" in (DEPLOY / "haproxy.cfg").read_text()


def test_it_scales_by_a_metric_that_is_exported() -> None:
    names = [
        each["pods"]["metric"]["name"]
        for each in kubernetes("HorizontalPodAutoscaler")["spec"]["metrics"]
        if each["type"] == "Pods"
    ]
    exported = metrics.Metrics().text().decode()
    assert names
    assert all(f"# TYPE {name} gauge" in exported for name in names)


def test_nothing_runs_as_root_or_writes_beside_its_volumes() -> None:
    assert pod()["securityContext"]["runAsNonRoot"]
    (container,) = pod()["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")} == {"/data", "/tmp"}  # noqa: S108


def test_secrets_come_from_the_environment() -> None:
    assert set(kubernetes("Secret")["stringData"]) == set(SECRETS)
    for text in ((DEPLOY / "gateway.yaml").read_text(), kubernetes("ConfigMap")["data"]["gateway.yaml"]):
        assert "${JWT_SECRET}" in text
        assert "${POSTGRES_PASSWORD}" in text
