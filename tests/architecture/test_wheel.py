"""Build the wheel, unpack it, and use it as somebody does who installed nothing else.

A pure Python wheel is installed by unpacking it, so that stands for `pip install` here: it needs no
second environment, no network and about five seconds.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_code_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"yinzi", "yinzi_train"}
    assert "yinzi/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_wheel_holds_the_shipped_artifact(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert "yinzi/artifacts/base/manifest.json" in archive.namelist()


def test_wheel_converts_a_sentence(wheel: Path, tmp_path: Path, base_artifact: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import yinzi; assert yinzi.__file__.startswith(sys.path[0]), yinzi.__file__\n"
        "from yinzi.cli.main import main; main(['convert', 'woyaomaijipiao'])"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert ended.stdout.decode("utf-8") == "我要买机票\n"
