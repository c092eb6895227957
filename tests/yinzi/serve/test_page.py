"""The files of the page as they are served and as they fit together; no browser needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from yinzi.decoding import FEATURES
from yinzi.serve import app
from yinzi.serve.sessions import SESSION_SCHEMES

STATIC = Path(app.__file__).with_name("static")
HTML = (STATIC / "index.html").read_text(encoding="utf-8")
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")}
NAMES = sorted(path.name for path in STATIC.iterdir())


def keys_of(language: str) -> list[str]:
    found = re.search(rf"^const {language} = {{\n(.*?)^}};", SCRIPTS["strings.js"], re.M | re.S)
    assert found is not None
    return re.findall(r"^  \"?([\w-]+)\"?: \"", found[1], re.M)


@pytest.mark.parametrize("name", ["", *NAMES])
def test_files_are_served_with_their_types_and_a_policy(client: TestClient, name: str) -> None:
    answer = client.get(f"/{name}")
    assert answer.status_code == 200
    kind = answer.headers["Content-Type"].partition(";")[0]
    suffix = Path(name or "index.html").suffix
    assert (
        kind
        in {
            ".html": ("text/html",),
            ".css": ("text/css",),
            ".js": ("text/javascript", "application/javascript"),
            ".svg": ("image/svg+xml",),
        }[suffix]
    )
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    text = (STATIC / name).read_text(encoding="utf-8")
    names_of_things = {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]+[^\s\"']*", text)) <= names_of_things
    assert not re.search(r"<[^>]+\s(style|on\w+)=", text)  # the policy forbids both


def test_scripts_and_page_know_the_same_elements() -> None:
    there = re.findall(r'\bid="([\w-]+)"', HTML)
    assert len(there) == len(set(there))
    asked: set[str] = set()
    for script in SCRIPTS.values():
        asked |= set(re.findall(r'(?:getElementById|\bat|onClick)\("([\w-]+)"', script))
    assert len(asked) > 20
    assert asked <= set(there)
    referred = re.findall(r'(?:for|aria-(?:controls|labelledby|describedby))="([\w-]+)"', HTML)
    assert set(referred) <= set(there)


def test_both_languages_say_all() -> None:
    english = keys_of("en")
    assert english == keys_of("zh") == sorted(set(english))
    assert len(english) > 50
    used = set(re.findall(r'data-i18n(?:-label|-placeholder)?="(\w+)"', HTML))
    for script in SCRIPTS.values():
        used |= set(re.findall(r'\btell\("(\w+)"', script))
    assert used <= set(english)
    assert {f"scheme_{name}" for name in SESSION_SCHEMES} <= set(english)
    assert {f"feature_{name}" for name in FEATURES} <= set(english)


def test_the_page_offers_the_schemes_of_sessions() -> None:
    found = re.search(r"^  scheme: \[(.*?)\]", SCRIPTS["app.js"], re.M)
    assert found is not None
    assert set(re.findall(r'"(\w+)"', found[1])) == set(SESSION_SCHEMES)


def test_what_scripts_compute() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    checks = Path(__file__).with_name("page_checks.mjs")
    done = subprocess.run(
        [node, str(checks), STATIC.as_uri()],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
