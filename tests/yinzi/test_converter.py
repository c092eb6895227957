from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import yinzi
from tests.yinzi.tiny_lexicon import read_entries
from yinzi.artifact.checksum import sha256_hex
from yinzi.converter import Converter
from yinzi.errors import ArtifactError, ConfigError, YinziError


def texts(converter: Converter, pinyin: str, **options: str | int) -> list[str]:
    return [candidate.text for candidate in converter.convert(pinyin, **options)]


@pytest.mark.parametrize(
    ("pinyin", "text"),
    [
        ("woyaomaijipiao", "我要买机票"),
        ("wo yao mai ji piao", "我要买机票"),
        ("wo'yao'mai'ji'piao", "我要买机票"),
        ("wǒ yào mǎi jī piào", "我要买机票"),
        ("wo3yao4mai3ji1piao4", "我要买机票"),
        ("WO YAO MAI JI PIAO", "我要买机票"),
        ("wymjp", "我要买机票"),
        ("woyaomaijp", "我要买机票"),
        ("xian", "先"),
        ("xi'an", "西安"),
        ("xi an", "西安"),
        ("fangan", "方案"),
        ("fan gan", "反感"),
        ("mai4", "卖"),
        ("lüe", "略"),
        ("lve", "略"),
        ("lu:e", "略"),
        ("nver", "女儿"),
        ("yidianr", "一点儿"),
        ("zhongguoyinhanghangzhang", "中国银行行长"),
    ],
)
def test_convert_gives_the_likeliest_text(converter: Converter, pinyin: str, text: str) -> None:
    assert texts(converter, pinyin)[0] == text


@pytest.mark.parametrize(
    ("pinyin", "text"),
    [
        ("wo yao 5 ge", "我要5个"),
        ("wo yao5ge", "我要个"),  # 5 is the tone
        ("我yao 买piao", "我要买票"),
        ("你好 wo shi", "你好我是"),
        ("ni hao, wo shi", "你好,我是"),
        ("ni hao， wo shi！", "你好，我是！"),
        ("OK ni hao", "OK你好"),
        ("iPhone ni hao", "iPhone你好"),
        ("AB 5  BA ni", "AB 5  BA你"),
        ("ni\nhao\r\n", "你\n好"),
        ("ni \r\n\r\n wo", "你\r\n\r\n我"),
        ("ni hao\r\n", "你好"),
        ("\tni\thao\t", "你好"),
        ("ni\u3000hao", "你好"),
        ("😀nihao👩‍👩‍👧", "😀你好👩‍👩‍👧"),
        ("ni\0hao\0", "你\0好\0"),
        ("vvvv", "vvvv"),
        ("v5v", "v5v"),
        ("wo ceng mai", "我ceng买"),  # a syllable that no word of the lexicon has
        ("o", "o"),
        ("нni ｎｉ", "н你ｎｉ"),
        ("\ufeffni", "\ufeff你"),
        ("\ud800ni", "\ud800你"),
        ("12:30", "12:30"),
        ("𠀀", "𠀀"),
        ("‘ni hao’", "‘你好’"),
    ],
)
def test_convert_passes_the_rest_through(converter: Converter, pinyin: str, text: str) -> None:
    assert texts(converter, pinyin)[0] == text


@pytest.mark.parametrize("pinyin", ["", " ", "'", "\r\n", " ’\t'\u3000"])
def test_convert_gives_nothing_for_blanks(converter: Converter, pinyin: str) -> None:
    assert converter.convert(pinyin) == []
    assert converter.candidates(pinyin) == []


def kept(text: str) -> str:
    """Leave only what no part of a conversion may drop or change."""
    return "".join(char for char in text if char in "!？5我😀\0Ж.")


@given(st.text(alphabet=st.sampled_from("nihaovx '’!？5我😀\0Ж.\nǎ\u0301V"), max_size=20))
@settings(max_examples=300, deadline=None)
def test_convert_loses_nothing_of_what_it_passes_through(converter: Converter, typed: str) -> None:
    passed = kept(typed.replace("5", ""))  # digits can be tones
    for candidate in converter.convert(typed):
        text = candidate.text
        for item in candidate.syllables:
            if not item.isascii() or not item.isalpha():
                assert item in typed
        assert "".join(char for char in text if char in "!？😀\0Ж.") == passed.replace("我", "")
        assert text.count("我") >= passed.count("我")
    assert bool(converter.convert(typed)) == bool(typed.strip(" '’\n"))


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_convert_takes_any_text(converter: Converter, typed: str) -> None:
    for candidate in converter.convert(typed):
        assert candidate.text
        assert candidate.end == len(typed)
        assert np.isfinite(candidate.logprob)


def test_convert_twice_is_the_same_as_passing_hanzi_through(converter: Converter) -> None:
    text = texts(converter, "woyaomaijipiao")[0]
    assert texts(converter, text) == [text]


def test_left_context_changes_the_order(converter: Converter) -> None:
    assert texts(converter, "xian")[0] == "先"
    assert texts(converter, "xi an", left_context="我是")[0] == "西安"
    alone = dict.fromkeys(texts(converter, "hang", n_best=5))
    after = converter.convert("hang", left_context="中国银", n_best=5)
    assert set(alone) == {candidate.text for candidate in after}
    assert converter.convert("ge", left_context="一")[0].logprob > (
        converter.convert("ge", left_context="我")[0].logprob
    )


@pytest.mark.parametrize("context", ["我，", "OK", "我 ", "我\n"])
def test_left_context_that_does_not_end_in_hanzi_is_none(
    converter: Converter, context: str
) -> None:
    assert converter.convert("xian", left_context=context) == converter.convert("xian")


def test_left_context_may_be_long(converter: Converter) -> None:
    short, long = (converter.convert("ge", left_context=text * n) for text, n in [("一", 40)] * 2)
    assert short == long
    assert converter.convert("ge", left_context="我是" * 50_000)


def test_n_best_is_a_prefix_of_more(converter: Converter) -> None:
    many = converter.convert("shi shi", n_best=15)
    assert len(many) > 10
    for n_best in (1, 5, 10):
        assert converter.convert("shi shi", n_best=n_best) == many[:n_best]


def test_fewer_than_n_best_where_fewer_are_known(converter: Converter) -> None:
    assert texts(converter, "nv", n_best=5) == ["女"]
    assert texts(converter, "OK", n_best=5) == ["OK"]


@pytest.mark.parametrize("n_best", [0, -3])
def test_n_best_below_one_is_refused(converter: Converter, n_best: int) -> None:
    with pytest.raises(ConfigError, match=f"n_best is {n_best}: expected at least 1"):
        converter.convert("ni", n_best=n_best)


def test_convert_batch_checks_the_number_of_contexts(converter: Converter) -> None:
    with pytest.raises(ConfigError, match="1 left contexts for 2 inputs: give one for each"):
        converter.convert_batch(["ni", "hao"], left_contexts=["我"])
    assert converter.convert_batch([]) == []
    assert converter.convert_batch([], left_contexts=[]) == []


def test_candidates_of_a_batch_keep_the_order_of_the_lines(converter: Converter) -> None:
    lines = ["zhong guo", "", "wo", "woyaomaijipiao", "5"]
    found = [[c.text for c in one][:1] for one in converter.convert_batch(lines)]
    assert found == [["中国"], [], ["我"], ["我要买机票"], ["5"]]


def test_threads_may_share_a_converter(tiny_folder: Path) -> None:
    shared = yinzi.load(tiny_folder)  # new, so that what is made at first use is made here
    lines = ["woyaomaijipiao", "fangan", "我yao5ge", "xi4an1", "wymjp"] * 5
    found: list[list[str]] = []

    def run() -> None:
        found.append([shared.convert(line, left_context="我")[0].text for line in lines])
        shared.annotate("中国银行行长")

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = yinzi.load(tiny_folder)
    assert found == [[alone.convert(line, left_context="我")[0].text for line in lines]] * 8


def written(converter: Converter, text: str) -> str:
    return " ".join(s.to_digits() if s else char for char, s in converter.annotate(text))


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("", ""),
        ("银行行长", "yin2 hang2 hang2 zhang3"),
        ("先行", "xian1 xing2"),
        ("西安市长安", "xi1 an1 shi4 chang2 an1"),
        ("女儿，A5", "nv3 er2 ， A 5"),
        ("我鑫我", "wo3 鑫 wo3"),
        ("\0我\n", "\0 wo3 \n"),
        ("我是" * 40, " ".join(["wo3 shi4"] * 40)),
    ],
)
def test_annotate_reads_words(converter: Converter, text: str, reading: str) -> None:
    assert written(converter, text) == reading


def test_annotate_keeps_every_character(converter: Converter) -> None:
    text = "".join(entry.word for entry in read_entries()) + "abc，𠀀鑫"
    assert "".join(char for char, _ in converter.annotate(text)) == text


LONG = {
    "n": "n" * 10_000,
    "full": "woyaomaijipiao" * 715,
    "no_pinyin": "v" * 10_000,
    "initials": "wymjp" * 2_000,
    "two_letter_initials": "zh" * 5_000,
    "ambiguous": "xian" * 2_500,
    "with_borders": "wo shi " * 1_428,
    "with_tones": "hao3" * 2_500,
    "hanzi": "我" * 10_000,
    "hanzi_and_letters": "我a" * 5_000,
    "digits": "5" * 10_000,
    "upper_case": "N" * 10_000,
    "combining_marks": "a" + "\u0304" * 9_999,
    "apostrophes": "'" * 10_000,
    "line_breaks": "ni\n" * 3_333,
    "emoji": "😀" * 10_000,
}


@pytest.mark.parametrize("line", LONG.values(), ids=LONG.keys())
def test_ten_thousand_letters_are_converted_in_seconds(converter: Converter, line: str) -> None:
    started = time.process_time()
    found = converter.convert(line)
    assert time.process_time() - started < 5
    if line.strip("'"):
        assert found[0].end == len(line)
        assert "".join(found[0].syllables) or found[0].text


def edit_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "manifest.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    change(raw)
    path.write_text(json.dumps(raw), encoding="utf-8")


def put_array(folder: Path, name: str, array: np.ndarray) -> None:
    """Replace an array and its entry in the manifest, as a wrong build would."""
    path = folder / f"{name}.npy"
    np.save(path, array)
    entry = {"bytes": path.stat().st_size, "sha256": sha256_hex(path)}
    edit_manifest(folder, lambda raw: raw["files"].update({f"{name}.npy": entry}))


def stored(folder: Path, name: str) -> np.ndarray:
    return np.load(folder / f"{name}.npy")


@pytest.fixture
def copy(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny artifact that may be damaged."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))


def set_parameters(**tables: object) -> Callable[[Path], object]:
    return lambda folder: edit_manifest(folder, lambda raw: raw["parameters"].update(tables))


def truncate(folder: Path) -> None:
    path = folder / "lexicon/word_hanzi.npy"
    path.write_bytes(path.read_bytes()[:-1])


def flip(folder: Path) -> None:
    path = folder / "language_model/bigram_cells.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(bytes(content))


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def forget(name: str) -> Callable[[Path], object]:
    return lambda folder: edit_manifest(folder, lambda raw: raw["files"].pop(name))


def cut(name: str, n_left: int) -> Callable[[Path], object]:
    return lambda folder: put_array(folder, name, stored(folder, name)[:n_left])


def extend(name: str, n_more: int) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        array = stored(folder, name)
        more = np.zeros((n_more, *array.shape[1:]), array.dtype)
        put_array(folder, name, np.concatenate([array, more]))

    return change


def fill(name: str, value: float) -> Callable[[Path], object]:
    return lambda folder: put_array(folder, name, np.full_like(stored(folder, name), value))


def cast(name: str, dtype: str) -> Callable[[Path], object]:
    return lambda folder: put_array(folder, name, stored(folder, name).astype(dtype))


def reshape(name: str) -> Callable[[Path], object]:
    return lambda folder: put_array(folder, name, stored(folder, name)[None])


LEXICON_ARRAYS = (
    *("hanzi", "word_hanzi", "word_tones", "level_nodes", "node_syllable", "node_counts"),
    *("large_children", "large_words", "polyphone_word", "polyphone_logprob", "extra_position"),
    *("extra_node", "extra_word", "extra_logprob", "extra_tones"),
)
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (truncate, "lexicon/word_hanzi.npy has .* truncated"),
    "edited": (flip, r"bigram_cells.npy sha256 is \w{8}…, manifest says \w{8}…"),
    "no_file": (remove("lexicon/hanzi.npy"), "lexicon/hanzi.npy is missing"),
    "no_manifest": (remove("manifest.json"), "no manifest.json"),
    "later_format": (
        lambda folder: edit_manifest(folder, lambda raw: raw.update(format_version=99)),
        "format version 99 was written by a later yinzi",
    ),
    "unknown_decoder_option": (
        set_parameters(decoder={"beam": {"width": 3}}),
        "artifact 'tiny': bad decoder parameters: unknown beam options",
    ),
    "bad_decoder_option": (
        set_parameters(decoder={"beam": {"beam_width": 0}}),
        "bad decoder parameters: beam_width is 0",
    ),
    "decoder_option_of_another_type": (
        set_parameters(decoder={"beam": {"beam_width": "wide"}}),
        "artifact 'tiny': bad decoder parameters",
    ),
    "decoder_table_of_another_type": (
        set_parameters(decoder={"beam": 3}),
        "artifact 'tiny': bad decoder parameters",
    ),
    "decoder_of_another_type": (
        set_parameters(decoder=[1]),
        r"artifact 'tiny': parameters of the decoder are \[1\], expected a table",
    ),
    "no_language_model_parameters": (set_parameters(language_model={}), "n_words"),
    "language_model_of_another_type": (set_parameters(language_model=7), "language_model"),
    "no_bigram_parameters": (
        lambda folder: edit_manifest(
            folder, lambda raw: raw["parameters"]["language_model"].pop("bigram")
        ),
        "bigram table",
    ),
    "language_model_of_other_words": (
        lambda folder: edit_manifest(
            folder, lambda raw: raw["parameters"]["language_model"].update(n_words=3)
        ),
        "language model: ",
    ),
    "no_bigram_cells": (forget("language_model/bigram_cells.npy"), "bigram_cells"),
    **{f"no_{name}": (forget(f"lexicon/{name}.npy"), name) for name in LEXICON_ARRAYS},
    **{f"{name}_shorter": (cut(f"lexicon/{name}", -1), "lexicon") for name in LEXICON_ARRAYS},
    **{f"{name}_longer": (extend(f"lexicon/{name}", 3), "lexicon") for name in LEXICON_ARRAYS},
    **{f"{name}_as_floats": (cast(f"lexicon/{name}", "f8"), "lexicon") for name in LEXICON_ARRAYS},
    **{
        f"{name}_two_dimensional": (reshape(f"lexicon/{name}"), "lexicon")
        for name in LEXICON_ARRAYS
    },
    "word_hanzi_too_large": (fill("lexicon/word_hanzi", 60_000), "lexicon"),
    "node_syllable_too_large": (fill("lexicon/node_syllable", 511), "lexicon"),
    "extra_node_too_large": (fill("lexicon/extra_node", 60_000), "lexicon"),
    "extra_word_too_large": (fill("lexicon/extra_word", 60_000), "lexicon"),
    "extra_position_too_large": (fill("lexicon/extra_position", 60_000), "lexicon"),
    "polyphone_word_too_large": (fill("lexicon/polyphone_word", 60_000), "lexicon"),
    "no_words": (fill("lexicon/node_counts", 0), "lexicon"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_load_tells_a_damaged_artifact(
    copy: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(copy)
    with pytest.raises(ArtifactError, match=message):
        yinzi.load(copy)


def test_load_tells_that_lexicon_and_language_model_are_of_two_builds(
    converter: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yinzi.language_model.LanguageModel.n_words", 5, raising=False)
    lexicon = converter.decoder.lexicon
    monkeypatch.setattr(lexicon, "n_words", 7)
    monkeypatch.setattr("yinzi.converter.converter.Lexicon", lambda arrays: lexicon)
    with pytest.raises(ArtifactError, match=r"the lexicon has 7 words.*of different builds"):
        Converter(converter.artifact)


def test_load_without_verify_reads_an_edited_file(copy: Path) -> None:
    flip(copy)
    assert yinzi.load(copy, verify=False).convert("nihao")


@pytest.mark.parametrize("name", ["nonesuch", "./nonesuch", "", "../tiny"])
def test_load_tells_a_missing_artifact(name: str) -> None:
    with pytest.raises(YinziError, match="no artifact"):
        yinzi.load(name)
