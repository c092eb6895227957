"""A tiny folder of raw data: word lists in all published formats, and a few dozen lines of text."""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from yinzi_train.lexicon.sources import HANZI_SOURCES, READING_SOURCES, WORD_SOURCES

# Common readings, in the format of pinyin-data; polyphones have all that are used below.
HANZI = """\
我 wǒ
要 yào,yāo
买 mǎi
机 jī
票 piào
飞 fēi
你 nǐ
好 hǎo,hào
吗 ma
去 qù
西 xī
安 ān
先 xiān
天 tiān
明 míng
见 jiàn
银 yín
行 xíng,háng
在 zài
走 zǒu
谢 xiè
再 zài
张 zhāng
想 xiǎng
吃 chī
饭 fàn
"""

WORDS = {
    "jieba_dict.txt.xz": "我 900 r\n要 500 v\n机票 80 n\n买 300 v\n你好 50 l\n西安 40 ns\nA股 9",
    "cedict_ts.u8.xz": "# CEDICT\n飛機 飞机 [fei1 ji1] /plane/\n銀行 银行 [yin2 hang2] /bank/\n",
    "phrase-pinyin_pinyin.txt.xz": "# words\n银行: yín háng\n行走: xíng zǒu # to walk\n",
    "phrase-pinyin_overwrite.txt.xz": "再见: zài jiàn\n",
    "thuocl_food.txt.xz": "吃饭\t120\n饭票\t\n",
    "wanxiang_chengyu.txt.xz": "# idioms\n---\n谢天谢地吗\tx\n",
    "wanxiang_place.dict.yaml.xz": "name: place\n...\n西安\txī ān\t99\n",
    "wanxiang_compatible.dict.yaml.xz": "# two readings\n好吃\thào chī\t1\n",
    "areacity_level3.csv.xz": 'id,pid,name,ext_name\n1,0,"西安","西安市"\n2,0,"张行","张行"\n',
    "areacity_level4.csv.xz": "id,pid,name,ext_name\n",
    "idiom_pinyin_explained.csv.xz": "word,pinyin\n明天再见,míng tiān zài jiàn\n",
    "wanxiang_chars.dict.yaml.xz": "# x\n好\thǎo\t900\n好\thào\t700\n行\txíng\t80\n行\tháng\t70\n",
    "pinyin-data_overwrite.txt.xz": "# nothing\n",
}

TEXTS = {
    "chat__talk.txt.xz": (
        "你好！\n你好吗？\n我要买机票。\n我想买飞机票，去西安\n明天见\n谢谢你\n",
        5,
    ),
    "chat__short.txt.xz": ("你好\n再见！\n明天再见\n我先走\n", 4),
    "news__lines.txt.xz": ("明天我要去银行\n我要买机票\n我在西安买机票\n去西安要先买机票\n", 6),
    "law__rules.txt.xz": ("要买机票，先去银行。\n先吃饭\n", 2),
}

CONFIG = """\
[artifact]
name = "tiny"
version = "1"

[lexicon]
min_unlisted_count = 2

[counting]
n_ranges = 3

[weights]
chat = 2
law = 0.5
[weights.sources]
chat__short = 1.5

[language_model]
discount_fallback = [0.5, 1.0, 1.5]

[decoder.beam]
beam_width = 8
"""


def write_xz(path: Path, text: str) -> None:
    path.write_bytes(lzma.compress(text.encode("utf-8")))


def write_word_lists(folder: Path) -> None:
    """Write all files that the lexicon is built from; those not given above are empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in {*WORD_SOURCES, *READING_SOURCES, *HANZI_SOURCES}:
        write_xz(folder / name, WORDS.get(name, ""))
    rows = [line.split() for line in HANZI.splitlines()]
    full = "".join(f"U+{ord(hanzi):X}: {readings}  # {hanzi}\n" for hanzi, readings in rows)
    common = "".join(f"U+{ord(hanzi):X}: {r.split(',')[0]}  # {hanzi}\n" for hanzi, r in rows)
    write_xz(folder / "pinyin-data_pinyin.txt.xz", full)
    write_xz(folder / "pinyin-data_kMandarin_8105.txt.xz", common)
    names = sorted(path.name for path in folder.glob("*.xz"))
    lines = [f"{name}\tgithub:someone/lists\tv1\t[open] MIT\t100" for name in names]
    lines.append("unused.txt.xz\tgithub:someone/other\tv1\t[unstated] unstated\t100")
    header = "file\tsource\tversion\tlicence\traw_bytes"
    (folder / "MANIFEST.tsv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


@pytest.fixture
def lexicons_folder(tmp_path: Path) -> Path:
    """Return a folder with tiny word lists and reading tables."""
    folder = tmp_path / "data" / "lexicons"
    write_word_lists(folder)
    return folder


@pytest.fixture
def data_path(tmp_path: Path, lexicons_folder: Path) -> Path:
    """Return a whole folder of raw data."""
    folder = tmp_path / "data" / "corpora"
    folder.mkdir()
    lines = ["file\tdomain\tsource\tversion\tlicence\tsentences\thanzi\tshare_kept"]
    for number, (name, (text, n_copies)) in enumerate(TEXTS.items()):
        write_xz(folder / name, text * n_copies)
        licence = ["[open] CC BY-SA 4.0", "[open] CC BY 4.0", "[unstated]", "[open] MIT"][number]
        lines.append(f"{name}\tx\tgithub:someone/texts\tv{number}\t{licence}\t1\t1\t1.0")
    (folder / "MANIFEST.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder.parent


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    """Return the TOML file of a build of the tiny data."""
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture
def threads() -> Iterator[None]:
    """Give threads and environment back: a command takes one thread for the whole process."""
    import torch

    n_threads, environment = torch.get_num_threads(), dict(os.environ)
    yield
    torch.set_num_threads(n_threads)
    os.environ.clear()
    os.environ.update(environment)
