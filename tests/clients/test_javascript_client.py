from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")

from tests.yinzi.serve.conftest import running

CLIENT = Path(__file__).resolve().parents[2] / "clients/javascript"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_module_talks_to_a_service() -> None:
    assert NODE is not None
    # Node 20 and 21 have WebSockets behind this flag; later ones take it too.
    with running() as service:
        ended = subprocess.run(
            [
                NODE,
                "--experimental-websocket",
                str(Path(__file__).with_name("client_checks.mjs")),
                service.url,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    assert "all checks passed" in ended.stdout


def test_types_name_what_the_module_exports() -> None:
    module = (CLIENT / "yinzi.js").read_text(encoding="utf-8")
    types = (CLIENT / "yinzi.d.ts").read_text(encoding="utf-8")
    classes = re.findall(r"export class (\w+)", module)
    assert sorted(re.findall(r"export class (\w+)", types)) == sorted(classes)
    for method in re.findall(r"^  (?:async )?([a-z]\w+)\(.*\{$", module, re.MULTILINE):
        if method not in ("constructor", "for", "if"):
            assert f"  {method}(" in types, method
