"""Put the cleaning blocks in their order.

Order matters: garbled text is told by characters that normalisation removes; addresses and personal
data must be found before their punctuation becomes full-width; sentences can be split only once
punctuation is right; what is too short or foreign is judged by sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from yinzi_train.corpus.dropped import DroppedRows
from yinzi_train.corpus.markup import MarkupStripper, UrlRemover
from yinzi_train.corpus.normalization import (
    CharacterNormalizer,
    PunctuationNormalizer,
    RepeatShortener,
    ScriptConverter,
)
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.personal_data import PersonalDataMasker
from yinzi_train.corpus.quality import (
    BoilerplateFilter,
    LanguageFilter,
    LengthFilter,
    MojibakeFilter,
    RepetitionFilter,
)
from yinzi_train.corpus.sentences import SentenceSplitter

__all__ = ["clean_lines", "cleaning_blocks"]


def cleaning_blocks(options: CorpusOptions, dropped: DroppedRows) -> list[PipelineStep]:
    """Return the datatrove steps that clean a stream of documents, one line of text each.

    >>> [block.name for block in cleaning_blocks(CorpusOptions(), DroppedRows())][:3]
    ['mojibake', 'markup', 'characters']
    """
    blocks: list[tuple[bool, PipelineStep]] = [
        (True, MojibakeFilter(dropped)),
        (options.remove_markup, MarkupStripper()),
        (True, CharacterNormalizer()),
        (options.drop_boilerplate, BoilerplateFilter(dropped)),
        (options.remove_urls, UrlRemover()),
        (options.mask_personal_data, PersonalDataMasker()),
        (options.normalize_punctuation, PunctuationNormalizer()),
        (True, RepeatShortener(options.max_repeat)),
        (options.script != "off", ScriptConverter(options.script)),
        (True, SentenceSplitter(options.max_chars, by_sentence=options.split_sentences)),
        (True, LengthFilter(options.min_hanzi, options.max_chars, dropped)),
        (True, LanguageFilter(options.min_hanzi_share, dropped)),
        (True, RepetitionFilter(options.min_distinct_share, dropped)),
    ]
    return [block for is_wanted, block in blocks if is_wanted]


def clean_lines(
    lines: Iterable[str], options: CorpusOptions | None = None, dropped: DroppedRows | None = None
) -> Iterator[str]:
    """Yield the clean sentences of lines of text, without looking for duplicates.

    >>> list(clean_lines(["<b>我要买票!</b>多少钱?", "click here", "電話13812345678"]))
    ['我要买票！', '多少钱？', '电话<phone>']
    """
    stream: Any = (Document(text=line, id=str(at)) for at, line in enumerate(lines))
    for block in cleaning_blocks(
        options or CorpusOptions(), dropped if dropped is not None else DroppedRows()
    ):
        stream = block.run(stream)
    for document in stream:
        yield document.text
