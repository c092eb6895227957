"""Split lines into sentences, and long sentences at clauses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

__all__ = ["SentenceSplitter", "split_clauses", "split_sentences"]

# Ends of sentences with the quotes and brackets that close after them, unless a comma, stop or
# colon goes on with the sentence. An ellipsis is no end: it stands in the middle more often.
_END: Final = re.compile(r"[。！？!?]+[”’」』）)\]】》\"']*(?![，。、；：,;:”’」』）)】》])")
_CLAUSE_MARKS: Final = ("；;", "，,：:…", "、 ", "”’」』）)】》")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text, without blanks around them.

    >>> split_sentences("你去吗？”他问。“好！”我说……")
    ['你去吗？”', '他问。', '“好！”', '我说……']
    >>> split_sentences("3.5 元")
    ['3.5 元']
    """
    sentences = []
    start = 0
    for match in _END.finditer(text):
        sentences.append(text[start : match.end()].strip())
        start = match.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def split_clauses(text: str, max_chars: int) -> list[str]:
    """Cut a text at clauses so that pieces have at most `max_chars`; leave it whole if it has none.

    >>> split_clauses("一二三，四五六，七八", 7)
    ['一二三，', '四五六，七八']
    """
    pieces = []
    while len(text) > max_chars:
        for marks in _CLAUSE_MARKS:
            end = 1 + max(text.rfind(mark, max_chars // 3, max_chars) for mark in marks)
            if end > 0:
                break
        else:
            break
        pieces.append(text[:end].strip())
        text = text[end:].strip()
    return [*pieces, text] if text else pieces


class SentenceSplitter(PipelineStep):
    """Make one row of every sentence; ids of the rows of one line end in .0, .1 and so on.

    Args:
        max_chars: longer sentences are cut at clauses.
        by_sentence: False to cut only what is too long.
    """

    type = "✂️ - FORMAT"
    name = "sentences"

    def __init__(self, max_chars: int = 256, *, by_sentence: bool = True) -> None:
        super().__init__()
        self.max_chars = max_chars
        self.by_sentence = by_sentence
        self.n_added = 0

    def split(self, text: str) -> list[str]:
        """Return the texts of the rows.

        >>> SentenceSplitter().split("好。走吧")
        ['好。', '走吧']
        """
        sentences = split_sentences(text) if self.by_sentence else [text]
        if len(text) <= self.max_chars:
            return sentences
        return [
            piece for sentence in sentences for piece in split_clauses(sentence, self.max_chars)
        ]

    def run(
        self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Yield a row for every sentence."""
        search = _END.search
        n_rows = 0
        for document in data:
            n_rows += 1
            text = document.text
            if len(text) <= self.max_chars:
                end = search(text) if self.by_sentence else None
                if end is None or end.end() == len(text):
                    yield document
                    continue
            texts = self.split(text)
            if len(texts) < 2:
                yield document
                continue
            self.n_added += len(texts) - 1
            for at, sentence in enumerate(texts):
                yield Document(text=sentence, id=f"{document.id}.{at}", metadata=document.metadata)
        self.stat_update("total", value=n_rows)
        self.stat_update("added", value=self.n_added)
