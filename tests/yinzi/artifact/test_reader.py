from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from yinzi.artifact import Artifact, resolve_artifact
from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ArtifactError
from yinzi_train.export import write_artifact


def edit_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "manifest.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    change(raw)
    path.write_text(json.dumps(raw), encoding="utf-8")


def test_open_returns_manifest_and_arrays(folder: Path) -> None:
    artifact = Artifact.open(folder)
    assert artifact.manifest.name == "tiny"
    assert artifact.manifest.parameters["decoder"]["beam_width"] == 20
    assert artifact.manifest.sources[0].licence == "CC0-1.0"
    arrays = artifact.arrays("lexicon")
    assert set(arrays) == {"words", "none"}
    assert arrays["words"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert len(arrays["none"]) == 0


def test_arrays_are_read_only_and_plain(folder: Path) -> None:
    words = Artifact.open(str(folder)).arrays("lexicon")["words"]
    assert type(words) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        words[0, 0] = 1


def test_arrays_checks_wanted_types(folder: Path) -> None:
    artifact = Artifact.open(folder)
    assert artifact.arrays("language_model", dtypes={"logprobs": np.float32})
    with pytest.raises(ArtifactError, match=r"logprobs\.npy holds float32, expected float16"):
        artifact.arrays("language_model", dtypes={"logprobs": np.float16})
    with pytest.raises(ArtifactError, match=r"no file language_model/keys\.npy"):
        artifact.arrays("language_model", dtypes={"keys": np.uint64})


def test_arrays_of_unknown_section_names_the_known(folder: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no section 'encoder'.*'language_model', 'lexicon'"):
        Artifact.open(folder).arrays("encoder")


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def remove_file(folder: Path) -> None:
    (folder / "lexicon/words.npy").unlink()


def put_folder_for_file(folder: Path) -> None:
    remove_file(folder)
    (folder / "lexicon/words.npy").mkdir()


def truncate(folder: Path) -> None:
    path = folder / "lexicon/words.npy"
    path.write_bytes(path.read_bytes()[:-1])


def empty(folder: Path) -> None:
    (folder / "lexicon/words.npy").write_bytes(b"")


def append(folder: Path) -> None:
    path = folder / "lexicon/words.npy"
    path.write_bytes(path.read_bytes() + b"\0")


def flip_last_byte(folder: Path) -> None:
    path = folder / "lexicon/words.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def write_manifest(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "manifest.json").write_bytes(content)


def set_field(key: str, value: object) -> Callable[[Path], object]:
    return lambda folder: edit_manifest(folder, lambda raw: raw.update({key: value}))


def drop_field(key: str) -> Callable[[Path], object]:
    return lambda folder: edit_manifest(folder, lambda raw: raw.pop(key))


def add_file(path: str) -> Callable[[Path], object]:
    entry = {"bytes": 1, "sha256": "0" * 64}
    return lambda folder: edit_manifest(folder, lambda raw: raw["files"].update({path: entry}))


DAMAGES = {
    "no_manifest": (remove_manifest, "no manifest.json in"),
    "no_file": (remove_file, "lexicon/words.npy is missing"),
    "folder_for_file": (put_folder_for_file, "lexicon/words.npy is missing"),
    "truncated": (truncate, "151 bytes, manifest says 152; the file is truncated"),
    "empty_file": (empty, "0 bytes, manifest says 152; the file is truncated"),
    "longer": (append, "153 bytes, manifest says 152; the file is damaged or edited"),
    "edited": (flip_last_byte, r"words.npy sha256 is \w{8}…, manifest says \w{8}…"),
    "manifest_empty": (write_manifest(b""), "not valid JSON"),
    "manifest_cut": (write_manifest(b'{"format_version": 1, "na'), "not valid JSON"),
    "manifest_binary": (write_manifest(b"\xff\xfe\0"), "not valid JSON"),
    "manifest_deep": (write_manifest(b"[" * 200_000), "not valid JSON"),
    "manifest_list": (write_manifest(b"[]"), "holds a list, expected an object"),
    "no_format_version": (drop_field("format_version"), "has format_version None"),
    "odd_format_version": (set_field("format_version", "1"), "has format_version '1'"),
    "boolean_format_version": (set_field("format_version", True), "has format_version True"),
    "later": (set_field("format_version", 3), "format version 3 was written by a later yinzi"),
    "no_files": (drop_field("files"), "lacks the field 'files'"),
    "files_list": (set_field("files", []), "field 'files' is a list, expected a dict"),
    "no_parameters": (drop_field("parameters"), "lacks the field 'parameters'"),
    "odd_sources": (set_field("sources", ["x"]), "source 0 is 'x'"),
    "odd_entry": (set_field("files", {"a.npy": {"bytes": -1}}), "entry 'a.npy' is"),
    "parent": (add_file("../other.npy"), "names the file '../other.npy'"),
    "hidden_parent": (add_file("lexicon/../../x.npy"), "expected a plain path inside"),
    "absolute": (add_file("/etc/passwd"), "expected a plain path inside"),
    "drive": (add_file("C:/x.npy"), "expected a plain path inside"),
    "backslash": (add_file("..\\x.npy"), "expected a plain path inside"),
    "empty_path": (add_file(""), "expected a plain path inside"),
    "nul_path": (add_file("a\0b"), "expected a plain path inside"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_open_tells_damage(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    with pytest.raises(ArtifactError, match=message):
        Artifact.open(folder)


def test_open_ignores_unknown_fields_and_files(folder: Path) -> None:
    set_field("colour", "red")(folder)
    (folder / "lexicon/extra.npy").write_bytes(b"x")
    assert "extra" not in Artifact.open(folder).arrays("lexicon")


def test_open_without_verify_checks_sizes_only(folder: Path) -> None:
    flip_last_byte(folder)
    assert Artifact.open(folder, verify=False).arrays("lexicon")
    truncate(folder)
    with pytest.raises(ArtifactError, match="truncated"):
        Artifact.open(folder, verify=False)


def rewrite_array(folder: Path, content: bytes) -> Artifact:
    """Replace an array and its entry, as somebody who builds a wrong artifact would."""
    path = folder / "lexicon/words.npy"
    path.write_bytes(content)
    entry = {"bytes": len(content), "sha256": sha256_hex(path)}
    edit_manifest(folder, lambda raw: raw["files"].update({"lexicon/words.npy": entry}))
    return Artifact.open(folder)


@pytest.mark.parametrize("kind", ["text", "cut", "objects", "archive", "empty", "huge_shape"])
def test_arrays_refuses_what_is_no_plain_array(folder: Path, tmp_path: Path, kind: str) -> None:
    whole = (folder / "lexicon/words.npy").read_bytes()
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "archive.npz", a=np.arange(3))
    content = {
        "text": b"not an array",
        "cut": whole[:-4],
        "objects": (tmp_path / "objects.npy").read_bytes(),
        "archive": (tmp_path / "archive.npz").read_bytes(),
        "empty": b"",
        "huge_shape": whole.replace(b"(2, 3)", b"(9, 9)"),
    }[kind]
    artifact = rewrite_array(folder, content)
    with pytest.raises(ArtifactError, match=r"lexicon/words\.npy is"):
        artifact.arrays("lexicon")


def test_resolve_prefers_package_then_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yinzi.artifact.reader._PACKAGED", tmp_path / "package")
    home = tmp_path / "home"
    (home / "artifacts/mine").mkdir(parents=True)
    (home / "artifacts/both").mkdir()
    (tmp_path / "package/both").mkdir(parents=True)
    assert resolve_artifact("mine", home=home) == home / "artifacts/mine"
    assert resolve_artifact("both", home=home) == tmp_path / "package/both"
    monkeypatch.setenv("YINZI_HOME", str(home))
    assert resolve_artifact("mine") == home / "artifacts/mine"
    monkeypatch.delenv("YINZI_HOME")
    with pytest.raises(ArtifactError, match="no artifact 'mine'"):
        resolve_artifact("mine")


def test_resolve_takes_no_name_from_current_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(ArtifactError, match=r"no artifact 'tiny'.*'\./tiny'"):
        resolve_artifact("tiny")
    assert resolve_artifact("./tiny").samefile(folder)
    assert resolve_artifact(Path("tiny")).samefile(folder)


@pytest.mark.parametrize("path", ["", "./none", "/none/none"])
def test_resolve_tells_missing_folder(path: str) -> None:
    with pytest.raises(ArtifactError, match="the path does not exist"):
        resolve_artifact(path)


def test_resolve_tells_file_for_folder(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="it is a file"):
        resolve_artifact(folder / "manifest.json")


def test_verify_of_34_megabytes_is_quick(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).integers(0, 255, 34 << 20, dtype=np.uint8)
    write_artifact(
        tmp_path / "large",
        name="large",
        version="1",
        created="2025-01-01",
        components={"lexicon": {"numbers": numbers}},
        parameters={},
        sources=[],
    )
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        Artifact.open(tmp_path / "large")
        seconds.append(time.perf_counter() - start)
    # 25 ms on a core with SHA instructions; the bound leaves room for cores without and for load.
    assert min(seconds) < 0.25
