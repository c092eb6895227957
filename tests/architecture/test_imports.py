from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "src/yinzi"
# Packages of the extras, and the folders that may import them.
EXTRAS = {
    "serve": {
        "fastapi",
        "h11",
        "prometheus_client",
        "pydantic",
        "ray",
        "starlette",
        "tomli",
        "uvicorn",
    },
    "client": {"httpx", "websockets"},
}
HEAVY = (
    *("torch", "transformers", "ray", "typer", "rich", "click"),
    *("textual", "pypinyin", "scipy", "pandas"),
)


def imported_packages(path: Path) -> Iterator[str]:
    """Yield the top package of every import of a module, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} uses a relative import"
            assert node.module is not None
            yield node.module.split(".")[0]


@pytest.mark.parametrize(
    "path", sorted(RUNTIME.rglob("*.py")), ids=lambda path: path.relative_to(RUNTIME).as_posix()
)
def test_runtime_imports_numpy_and_the_standard_library_only(path: Path) -> None:
    allowed = {"numpy", "yinzi", *sys.stdlib_module_names}
    if "scoring" in path.parts:
        allowed |= {"onnxruntime"}
    if RUNTIME / "cli" in path.parents:
        allowed |= {"typer", "rich", "textual"}
    if path.name == "output.py":
        allowed |= {"opencc"}  # the extra `traditional`, imported when it is asked for
    for folder, packages in EXTRAS.items():
        if RUNTIME / folder in path.parents:
            allowed |= packages
    assert set(imported_packages(path)) <= allowed


@pytest.mark.parametrize("module", ["yinzi.serve", "yinzi.client", "yinzi.cli.main"])
def test_extras_are_imported_when_they_are_used(module: str) -> None:
    names = sorted(set().union(*EXTRAS.values()))
    block = f"import sys; sys.modules.update(dict.fromkeys({names!r}))\n"
    subprocess.run([sys.executable, "-c", f"{block}import {module}"], check=True)


@pytest.mark.parametrize(
    ("asked", "extra"),
    [("yinzi.serve import create_app", "serve"), ("yinzi.client import Client", "client")],
)
def test_a_missing_extra_is_named(asked: str, extra: str) -> None:
    names = sorted(EXTRAS[extra])
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({names!r}))\n"
        "from yinzi.errors import MissingExtra\n"
        f"try:\n    from {asked}\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert f"pip install 'yinzi[{extra}]'" in ended.stdout


def test_layers_are_kept(root: Path) -> None:
    ended = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout


def run_without_heavy_packages(script: str) -> str:
    """Run a script in a process in which importing any of `HEAVY` fails."""
    block = f"import sys; sys.modules.update(dict.fromkeys({HEAVY!r}))\n"
    ended = subprocess.run(
        [sys.executable, "-c", block + script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_runtime_loads_without_heavy_packages() -> None:
    modules = [
        ".".join(("yinzi", *path.relative_to(RUNTIME).with_suffix("").parts))
        for path in RUNTIME.rglob("*.py")
        if not {RUNTIME / "cli", *(RUNTIME / extra for extra in EXTRAS)} & set(path.parents)
    ]
    run_without_heavy_packages("\n".join(f"import {module}" for module in modules))


def test_conversion_runs_without_heavy_packages(base_artifact: Path) -> None:
    script = "import yinzi; print(yinzi.load().convert('woyaomaijipiao')[0].text.encode())"
    assert run_without_heavy_packages(script).strip() == repr("我要买机票".encode())


def test_import_is_light() -> None:
    script = "import yinzi, sys; print('numpy' in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "False"
