"""What can be checked of the deployment files without Docker or a cluster."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def last(name: str) -> str:
    return [rest for word, rest in instructions() if word == name][-1]


def test_the_dockerfile_has_known_instructions_only() -> None:
    known = {"FROM", "COPY", "RUN", "USER", "ENV", "EXPOSE", "STOPSIGNAL", "WORKDIR"}
    known |= {"HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in instructions()} <= known


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            *sources, _ = shlex.split(rest)
            for source in sources:
                assert (ROOT / source).exists(), source
                assert source not in ignored


def test_the_image_is_slim_pinned_and_not_root() -> None:
    stages = [rest for word, rest in instructions() if word == "FROM"]
    assert all(re.match(r"python:3\.\d+-slim", stage) for stage in stages)
    assert last("USER") == "10001:10001"
    users = [i for i, (word, _) in enumerate(instructions()) if word == "USER"]
    runs = [i for i, (word, _) in enumerate(instructions()) if word == "RUN"]
    assert max(runs) < min(users)


def test_the_command_is_one_that_the_program_takes() -> None:
    from yinzi.cli.serve import serve

    command = json.loads(last("ENTRYPOINT")) + json.loads(last("CMD"))
    assert command[:2] == ["yinzi", "serve"]
    import inspect

    options = {"--" + name.replace("_", "-") for name in inspect.signature(serve).parameters}
    given = [word for word in command if word.startswith("--")]
    assert set(given) <= options
    container = read("kubernetes.yaml")[0]["spec"]["template"]["spec"]["containers"][0]
    assert {word for word in container["args"] if word.startswith("--")} <= options


def test_the_health_check_is_a_program_that_fails_without_a_service() -> None:
    check = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    check[0] = sys.executable
    check[2] = check[2].replace("8462", "9")
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0


def read(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


def test_compose_keeps_the_container_small_and_closed() -> None:
    (compose,) = read("compose.yaml")
    service = compose["services"]["yinzi"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["mem_limit"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert service["secrets"][0]["target"] in last("CMD")


def test_kubernetes_has_probes_limits_and_no_rights() -> None:
    deployment, service, budget = read("kubernetes.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert set(container["resources"]) == {"requests", "limits"}
    for probe, path in (("readinessProbe", "/ready"), ("livenessProbe", "/health")):
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels
    assert budget["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]


@pytest.mark.slow
def test_the_entry_point_works_in_a_fresh_environment(tmp_path: Path) -> None:
    """What the image does, without an image; packages come from this environment."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", f"{ROOT}[serve]"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "No matching distribution" in installed.stderr or "Connection" in installed.stderr:
        pytest.skip("packages cannot be fetched here")
    assert installed.returncode == 0, installed.stderr
    program = tmp_path / "venv/bin/yinzi"
    refused = subprocess.run(
        [program, "serve", "--host", "0.0.0.0"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "--insecure" in refused.stderr
    script = (
        "from yinzi.serve import create_app, Settings; create_app(Settings(artifact='base'));"
        "from yinzi.serve.server import make_config; make_config(Settings()).load()"
    )
    subprocess.run([python, "-c", script], check=True, cwd=tmp_path)
