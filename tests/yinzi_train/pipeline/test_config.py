from __future__ import annotations

from pathlib import Path

import pytest

from yinzi.errors import ConfigError
from yinzi_train.corpus.hanzi_runs import Fold
from yinzi_train.pipeline.config import BuildConfig, DomainWeights, read_config

ROOT = Path(__file__).resolve().parents[3]


def read(tmp_path: Path, text: str, *overrides: str) -> BuildConfig:
    path = tmp_path / "try.toml"
    path.write_text('[artifact]\nname = "a"\nversion = "1"\n' + text, encoding="utf-8")
    return read_config(path, overrides=overrides)


def test_published_config_is_valid() -> None:
    assert read_config(ROOT / "configs" / "base.toml").artifact.name == "base"


def test_what_is_not_given_has_its_default(tmp_path: Path) -> None:
    config = read(tmp_path, "")
    assert config.language_model.min_count == (1, 3, 3)
    assert config.lexicon.n_rounds == 1
    assert config.counting.left_out_fold() is None
    assert config.language_model.vectors.n_words == 0
    assert config.decoder.beam.beam_width == 20


def test_values_reach_their_options(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "[counting]\nleft_out = [2, 5]\n"
        "[language_model]\nn_ngrams = [5, 7]\n"
        "[language_model.vectors]\nn_words = 500\n"
        "[language_model.tables]\nbigram = { value_bits = 6 }\n"
        "[decoder.graph]\ntail_logprob = -1\n",
    )
    assert config.counting.left_out_fold() == Fold(2, 5)
    assert config.language_model.vectors.n_words == 500
    assert config.language_model.n_ngrams == (5, 7)
    assert config.language_model.tables.bigram.value_bits == 6
    assert config.decoder.graph.tail_logprob == -1.0
    assert isinstance(config.decoder.graph.tail_logprob, float)


def test_overrides_use_the_same_names(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "[weights]\nchat = 1\n",
        "weights.chat=2",
        "weights.sources.news__a=0.5",
        "language_model.min_count=[1, 4, 5]",
        "artifact.version='2'",
        "artifact.name=base-2",
    )
    assert config.weights == DomainWeights({"chat": 2.0}, {"news__a": 0.5})
    assert config.language_model.min_count == (1, 4, 5)
    assert (config.artifact.name, config.artifact.version) == ("base-2", "2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lexicn]\n", "try.toml: unknown key 'lexicn': did you mean 'lexicon'"),
        ("[lexicon]\nrounds = 1\n", "unknown key 'lexicon.rounds': did you mean 'lexicon.n_rounds"),
        ("[lexicon]\nn_rounds = 1.5\n", "lexicon.n_rounds is 1.5, expected whole number"),
        ("[lexicon]\nn_rounds = true\n", "lexicon.n_rounds is True, expected whole number"),
        ("[lexicon]\nn_rounds = 9\n", r"try.toml: \[lexicon\]: lexicon.n_rounds is 9"),
        ("[counting]\nn_ranges = 0\n", r"\[counting\]: counting.n_ranges is 0"),
        ("[counting]\npseudo_count = 0\n", "counting.pseudo_count is 0.0"),
        ("[counting]\nleft_out = [5, 5]\n", r"counting.left_out: fold 5 of 5: expected at least 2"),
        ("[counting]\nleft_out = [-1, 3]\n", "fold -1 of 3"),
        ("[counting]\nleft_out = [0, 1]\n", "fold 0 of 1"),
        ("[counting]\nleft_out = 5\n", r"left_out is 5, expected \[whole number, whole number\]"),
        ("[counting]\nleft_out = [0, 2, 4]\n", r"left_out is \[0, 2, 4\], expected \[whole"),
        ("[weights]\nchat = -1\n", "weights.chat is -1, expected a number"),
        ("[weights.sources]\nchat__a = 'x'\n", "weights.sources.chat__a is 'x'"),
        ("[weights]\nsources = 1\n", "weights.sources is 1, expected a table"),
        ("[language_model]\nmin_count = [1, 2, 3]\n", "must not ship, because passages of a text"),
        ("[language_model]\nmin_count = [1, 3, 1]\n", "set it to at least"),
        ("[language_model]\nmin_count = [1, 3]\n", "expected .whole number, whole number, whole"),
        ("[language_model]\nn_ngrams = 'many'\n", "expected whole number or .whole number, whole"),
        ("[language_model]\nn_ngrams = 0\n", "n_ngrams is 0"),
        ("[language_model.tables.bigram]\nvalue_bits = 0\n", "tables.bigram.*value_bits is 0"),
        ("[language_model.tables]\nbigram = 5\n", "bigram is 5, expected a table"),
        ("[language_model.vectors]\nn_words = 5\n", "try.toml: .*vectors.n_words is 5: expected 0"),
        (
            "[language_model.vectors]\nwords = 500\n",
            "did you mean 'language_model.vectors.n_words'",
        ),
        ("[decoder.beam]\nwidth = 5\n", "unknown key 'decoder.beam.width'"),
        ("[decoder.beam]\nbeam_width = 0\n", "beam_width is 0"),
        ("[decoder.beams]\n", "unknown key 'decoder.beams': did you mean 'decoder.beam'"),
        ("[lexicon]\nn_rounds = \n", "try.toml is not TOML"),
    ],
)
def test_bad_value_names_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        read(tmp_path, text)
    assert str(error.value).startswith("try.toml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("weights.chat", "expected section.key=value"),
        ("=1", "expected section.key=value"),
        ("lexicon.rounds=2", "unknown key 'lexicon.rounds'"),
        ("artifact.version=2", "artifact.version is 2, expected text in quotes"),
        ("artifact.name.x=2", "name is a value, expected a table"),
        ("artifact.name=../x", "artifact.name is '../x'"),
    ],
)
def test_bad_override_is_an_error(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, "", override)


def test_missing_file_and_missing_name_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read config"):
        read_config(tmp_path / "none.toml")
    path = tmp_path / "none.toml"
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"no \[artifact\]"):
        read_config(path)
    path.write_text('[artifact]\nname = "a"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no artifact\.version"):
        read_config(path)
    path.write_bytes("# 音".encode("gbk"))
    with pytest.raises(ConfigError, match="not UTF-8 at byte 2"):
        read_config(path)


def test_weights_of_domains_and_texts() -> None:
    weights = DomainWeights({"chat": 2.0, "law": 0.0}, {"chat__a": 0.5})
    shards = ["chat__a", "chat__b", "law__c", "news__d"]
    assert weights.by_shard(shards) == {
        "chat__a": 0.5,
        "chat__b": 2.0,
        "law__c": 0.0,
        "news__d": 1.0,
    }


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (DomainWeights({"chta": 2.0}), "unknown key 'weights.chta': did you mean 'weights.chat'"),
        (DomainWeights({}, {"chat__x": 2.0}), "unknown key 'weights.sources.chat__x'"),
        (DomainWeights({"chat": 0.0}), "every text has weight 0"),
    ],
)
def test_weight_of_nothing_is_an_error(weights: DomainWeights, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        weights.by_shard(["chat__a"])
