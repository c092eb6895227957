from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from yinzi.errors import UserLexiconError
from yinzi.user import CommittedPart, UserLexicon, UserWord, WordSource, user_lexicon_path
from yinzi.user.records import HALF_LIFE, decayed

NIHAO = ("你好", ("ni", "hao"))
PARTS = [CommittedPart("蒋", ("jiang",)), CommittedPart("琬", ("wan",), False)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "user.sqlite3"


@pytest.fixture
def user(file: Path) -> Iterator[UserLexicon]:
    lexicon = UserLexicon(file)
    yield lexicon
    lexicon.close()


def find(user: UserLexicon, text: str) -> UserWord | None:
    return next((word for word in user.words(with_chosen=True) if word.text == text), None)


def test_added_words_are_there_after_opening_again(user: UserLexicon, file: Path) -> None:
    user.add(*NIHAO)
    user.close()
    again = UserLexicon(file)
    assert [(word.text, word.syllables) for word in again.words()] == [NIHAO]
    again.close()


@pytest.mark.parametrize(
    ("text", "syllables", "message"),
    [
        ("", [], "0 characters"),
        ("你" * 17, ["ni"] * 17, "17 characters"),
        ("卡OK", ["ka", "o", "k"], "'O': expected hanzi"),
        ("你好", ["ni"], "1 syllables"),
        ("你好", ["ni", "hoa"], "syllable 2 of '你好' is 'hoa'"),
        ("你好", ["ni3", "hao3"], "toneless"),
    ],
)
def test_what_is_no_word_is_told(
    user: UserLexicon, text: str, syllables: list[str], message: str
) -> None:
    with pytest.raises(UserLexiconError, match=message):
        user.add(text, syllables)
    assert user.words() == []


def test_committed_parts_form_a_new_word(user: UserLexicon) -> None:
    user.learn(PARTS)
    assert [(word.text, word.source) for word in user.words()] == [("蒋琬", WordSource.LEARNED)]
    single = find(user, "琬")
    assert single is not None
    assert single.source is WordSource.CHOSEN


def test_one_part_forms_no_new_word(user: UserLexicon) -> None:
    user.learn([CommittedPart("我要买票", ("wo", "yao", "mai", "piao"))], cut=list)
    assert user.words() == []


def test_single_hanzi_that_were_looked_for_form_a_word_within_a_sentence(user: UserLexicon) -> None:
    parts = [
        CommittedPart("昨天下午", ("zuo", "tian", "xia", "wu")),
        CommittedPart("沐", ("mu",), False),
        CommittedPart("璟", ("jing",), False),
        CommittedPart("来学校了", ("lai", "xue", "xiao", "le")),
    ]
    user.learn(parts)
    assert [word.text for word in user.words()] == ["沐璟"]


def test_own_words_are_counted_as_one(user: UserLexicon) -> None:
    user.add("蒋琬", ["jiang", "wan"])
    user.learn([CommittedPart("蒋琬来", ("jiang", "wan", "lai"))], cut=list)
    word = find(user, "蒋琬")
    assert word is not None
    assert word.count == 1
    assert find(user, "琬") is None


def test_text_that_is_no_hanzi_breaks_words(user: UserLexicon) -> None:
    user.learn([PARTS[0], CommittedPart("OK", ("OK",)), PARTS[1]])
    assert user.words() == []


def test_private_mode_learns_nothing(user: UserLexicon) -> None:
    user.is_private = True
    user.learn(PARTS)
    assert user.words(with_chosen=True) == []
    user.is_private = False
    user.learn(PARTS)
    assert user.words() != []


def test_unlearn_takes_back_the_last_commits_one_by_one(user: UserLexicon) -> None:
    user.add(*NIHAO)
    user.learn(PARTS)
    once = user.words(with_chosen=True)
    user.learn(PARTS)
    assert user.words(with_chosen=True) != once
    assert user.unlearn()
    assert user.words(with_chosen=True) == once
    assert user.unlearn()
    assert [word.text for word in user.words(with_chosen=True)] == ["你好"]
    assert not user.unlearn()


def test_unlearn_leaves_what_another_process_learned(user: UserLexicon, file: Path) -> None:
    other = UserLexicon(file)
    user.learn(PARTS)
    other.learn(PARTS)
    assert user.unlearn()
    word = find(user, "蒋琬")
    assert word is not None
    assert word.count == 1
    assert 0.9 < word.weight <= 1
    assert not user.unlearn()
    other.close()


def test_forgotten_words_stay_forgotten(user: UserLexicon, file: Path) -> None:
    user.add("蒋琬", ["jiang", "wan"])
    user.forget("蒋琬", ["jiang", "wan"])
    user.learn(PARTS)
    user.close()
    again = UserLexicon(file)
    assert [word.is_forgotten for word in again.words()] == [True]
    assert again.restore("蒋琬", ["jiang", "wan"])
    assert [word.is_forgotten for word in again.words()] == [False]
    assert not again.restore("蒋琬", ["jiang", "wan"])
    again.close()


def test_import_does_not_bring_back_what_was_forgotten(user: UserLexicon) -> None:
    user.forget(*NIHAO)
    assert user.add_all([(*NIHAO, 1.0)]) == 0
    assert [word.is_forgotten for word in user.words()] == [True]
    user.add(*NIHAO)
    assert [word.is_forgotten for word in user.words()] == [False]


def test_single_hanzi_cannot_be_forgotten(user: UserLexicon) -> None:
    with pytest.raises(UserLexiconError, match="single hanzi stay"):
        user.forget("你", ["ni"])


def test_weights_halve_with_use_of_others() -> None:
    assert decayed(3.0, 0) == 3.0
    assert decayed(3.0, HALF_LIFE) == pytest.approx(1.5)


def test_a_weight_decays_before_it_grows(user: UserLexicon) -> None:
    user.learn([CommittedPart("你好", ("ni", "hao"))])
    for _ in range(20):
        user.learn([CommittedPart("再见", ("zai", "jian"))])
    user.learn([CommittedPart("你好", ("ni", "hao"))])
    word = find(user, "你好")
    assert word is not None
    assert word.count == 2
    assert word.weight == pytest.approx(decayed(1.0, 21) + 1.0)


def test_changes_are_told_once(user: UserLexicon, file: Path) -> None:
    user.add(*NIHAO)
    first = user.changes()
    assert first is not None
    assert [word.text for word in first.words] == ["你好"]
    assert user.changes(first.epoch, first.generation) is None
    other = UserLexicon(file)
    other.learn(PARTS)
    second = user.changes(first.epoch, first.generation)
    assert second is not None
    assert {word.text for word in second.words} == {"蒋", "琬", "蒋琬"}
    other.close()


def test_clear_leaves_nothing_in_the_file(user: UserLexicon, file: Path) -> None:
    user.add("蒋琬", ["jiang", "wan"])
    user.learn(PARTS)
    user.clear()
    assert user.words(with_chosen=True) == []
    user.close()
    left = b"".join(part.read_bytes() for part in file.parent.iterdir())
    assert "蒋琬".encode() not in left


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 300], ids=["empty", "garbage"])
def test_a_file_that_is_no_database(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    user = UserLexicon(file)
    user.add(*NIHAO)
    if content:
        assert user.set_aside == file.with_name("user.sqlite3.damaged-1")
        assert user.set_aside.read_bytes() == content
    else:
        assert user.set_aside is None
    user.close()


def test_a_second_damaged_file_gets_the_next_number(file: Path) -> None:
    file.parent.mkdir()
    file.with_name("user.sqlite3.damaged-1").write_bytes(b"the first")
    file.write_bytes(b"the second, which is longer than a header of SQLite would be" * 10)
    user = UserLexicon(file)
    assert user.set_aside == file.with_name("user.sqlite3.damaged-2")
    assert file.with_name("user.sqlite3.damaged-1").read_bytes() == b"the first"
    user.close()


def test_damaged_pages_are_set_aside(user: UserLexicon, file: Path) -> None:
    user.add_all(
        [(text, ("yi", "yi"), 1.0) for text in (f"一{chr(0x4E00 + i)}" for i in range(900))]
    )
    user.close()
    data = bytearray(file.read_bytes())
    data[4096 * 2 : 4096 * 6] = b"\xff" * (4096 * 4)
    file.write_bytes(data)
    again = UserLexicon(file)
    assert again.set_aside is not None
    assert again.set_aside.read_bytes() == bytes(data)
    assert again.words() == []
    again.close()


def test_another_programs_database_is_not_written_into(file: Path) -> None:
    file.parent.mkdir()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.commit()
    connection.close()
    user = UserLexicon(file)
    assert user.set_aside is not None
    with sqlite3.connect(user.set_aside) as kept:
        assert kept.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    kept.close()
    user.close()


def test_a_later_format_is_left_alone(user: UserLexicon, file: Path) -> None:
    user.close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UserLexiconError, match="format 99"):
        UserLexicon(file)
    assert not list(file.parent.glob("*damaged*"))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserLexiconError, match=r"YINZI_HOME"):
        UserLexicon(tmp_path / "data" / "user.sqlite3")


def test_a_path_that_is_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserLexiconError, match="unable to open"):
        UserLexicon(tmp_path)


def test_read_only_reads_and_stores_nothing(user: UserLexicon, file: Path) -> None:
    user.add(*NIHAO)
    reader = UserLexicon(file, is_read_only=True)
    assert [word.text for word in reader.words()] == ["你好"]
    with pytest.raises(UserLexiconError, match="read-only"):
        reader.learn(PARTS)
    reader.close()
    with pytest.raises(UserLexiconError, match="no user lexicon"):
        UserLexicon(file.with_name("other.sqlite3"), is_read_only=True)


def test_a_locked_file_is_told(
    user: UserLexicon, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yinzi.user.database._BUSY_MS", 50)
    impatient = UserLexicon(file)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(UserLexiconError, match="another program is writing"):
        impatient.add(*NIHAO)
    assert impatient.words() == []  # reading goes on
    holder.execute("ROLLBACK")
    impatient.add(*NIHAO)
    holder.close()
    impatient.close()


def test_two_processes_share_a_file(user: UserLexicon, file: Path) -> None:
    program = (
        "import sys\n"
        "from yinzi.user import CommittedPart, UserLexicon\n"
        "user = UserLexicon(sys.argv[1])\n"
        "for _ in range(40):\n"
        "    user.learn([CommittedPart('再见', ('zai', 'jian'))])\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(file)])
    for _ in range(40):
        user.learn([CommittedPart("你好", ("ni", "hao"))])
    assert child.wait(60) == 0
    found = {word.text: word.count for word in user.words(with_chosen=True)}
    assert found == {"你好": 40, "再见": 40}


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"YINZI_HOME": "/y", "XDG_DATA_HOME": "/x"}, "/y/user.sqlite3"),
        ({"YINZI_HOME": "", "XDG_DATA_HOME": "/x"}, "/x/yinzi/user.sqlite3"),
        ({"XDG_DATA_HOME": "relative"}, str(Path.home() / ".local/share/yinzi/user.sqlite3")),
    ],
)
def test_where_the_file_is(environ: dict[str, str], path: str) -> None:
    assert str(user_lexicon_path(environ)) == path
