"""Write the dataset card: README.md with the header that `datasets` and the Hugging Face hub read.

Splits are a column, not files, so that shards follow the sources and a sentence can be followed
from the source to its split. The header therefore names one configuration with all sentences and
one for each split, which reads the same files through a filter.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from yinzi_train.dataset.manifest import DatasetManifest, SourceRecord
from yinzi_train.dataset.report_blocks import Block, Bullets, Heading, Paragraph, Table, to_markdown
from yinzi_train.dataset.schema import ROW_SCHEMA, SPLITS
from yinzi_train.dataset.storage import atomic_path

__all__ = ["CARD_NAME", "dataset_card", "write_card"]

CARD_NAME: Final = "README.md"
TITLE: Final = "Chinese sentences with pinyin"

_SIZE_CATEGORIES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
)
_LARGEST_CATEGORY: Final = "100M<n<1B"

_COLUMNS: Final = {
    "id": "source and position of the sentence",
    "text": "the sentence, cleaned, with its punctuation",
    "source": "name of the text it is from",
    "domain": "kind of text",
    "licence": "of the source",
    "split": "train, validation or test",
    "fold": "number of its fold, for cross-validation within train",
    "hanzi": "the hanzi of the sentence in order, nothing between them",
    "run_lengths": "hanzi in each longest run of hanzi (MIU)",
    "syllables": "id of the syllable of each hanzi, an index into `yinzi.pinyin.SYLLABLES`",
    "tones": "tone of each hanzi, 1 to 4, 5 is the neutral tone",
    "doubtful": "indices of the hanzi whose reading is uncertain",
}

_CAUTIONS: Final = (
    (
        re.compile(r"alpaca|__smile$|__cpsycoun$|machine-made|machine-written", re.IGNORECASE),
        "Written by machines in whole or in part: {sources}. They repeat the turns of phrase, and "
        "the errors, of the models that wrote them.",
    ),
    (
        re.compile(r"__cold$|offensive", re.IGNORECASE),
        "Holds offensive language on purpose, for research on detecting it: {sources}. Leave it "
        "out where that would do harm; a model trained on it may offer such words.",
    ),
    (
        re.compile(r"__fcgec$|faulty", re.IGNORECASE),
        "Holds faulty sentences on purpose, for research on grammar correction: {sources}.",
    ),
    (
        re.compile(r"subtitle", re.IGNORECASE),
        "Subtitles, many of them translated by volunteers: {sources}. Their lines are short, and "
        "their Chinese may follow the original.",
    ),
    (
        re.compile(r"weibo-hot|thucnews-titles|__zhihu-search$|titles", re.IGNORECASE),
        "Titles and search terms rather than sentences, without end punctuation: {sources}.",
    ),
)

_SCRIPTS: Final = {
    "t2s": " Traditional hanzi were turned into simplified ones.",
    "s2t": " Simplified hanzi were turned into traditional ones.",
}
_PLACES: Final = {"github": "https://github.com/", "pypi": "https://pypi.org/project/"}


def write_card(folder: Path, manifest: DatasetManifest) -> Path:
    """Write the card of a dataset into a folder and return its path.

    Raises:
        DatasetError: the disk is full, or the folder cannot be written.
    """
    path = folder / CARD_NAME
    with atomic_path(path) as part:
        part.write_text(dataset_card(manifest), encoding="utf-8")
    return path


def dataset_card(manifest: DatasetManifest) -> str:
    """Return the card of a dataset; it depends on the manifest alone."""
    blocks: list[Block] = [
        Heading(f"Dataset card: {TITLE}", 1),
        *_summary(manifest),
        *_use(manifest),
        *_columns(),
        *_making(manifest),
        *_limits(manifest),
        *_personal_data(manifest),
        *_licences(manifest),
    ]
    return f"{_header(manifest)}\n\n{to_markdown(blocks)}"


def _header(manifest: DatasetManifest) -> str:
    """Return the YAML header."""
    rows = manifest.total.rows
    size = next((text for limit, text in _SIZE_CATEGORIES if rows < limit), _LARGEST_CATEGORY)
    lines = [
        "---",
        f"pretty_name: {TITLE}",
        "language:",
        "- zh",
        "license: other",
        "license_name: by-source",
        "license_link: README.md",
        "annotations_creators:",
        "- machine-generated",
        "language_creators:",
        "- found",
        "multilinguality:",
        "- monolingual",
        "size_categories:",
        f"- {size}",
        "task_categories:",
        "- text-generation",
        "- token-classification",
        "tags:",
        *(f"- {tag}" for tag in ("pinyin", "hanzi", "input-method", "polyphones", "homophones")),
        "dataset_info:",
    ]
    configs = {"sentences": None, **dict.fromkeys(SPLITS)}
    for config in configs:
        lines += [f"- config_name: {config}", "  features:"]
        for field in ROW_SCHEMA:
            lines.append(f"  - name: {field.name}")
            is_list = pa.types.is_list(field.type)
            dtype = field.type.value_type if is_list else field.type
            lines.append(f"    {'sequence' if is_list else 'dtype'}: {dtype}")
    lines.append("configs:")
    for config in configs:
        lines += [
            f"- config_name: {config}",
            "  data_files:",
            f"  - split: {config}",
            "    path: data/*.parquet",
        ]
        if config == "sentences":
            lines.append("  default: true")
        else:
            lines += ["  filters:", "  - - split", '    - "=="', f"    - {config}"]
    return "\n".join([*lines, "---"])


def _summary(manifest: DatasetManifest) -> Iterator[Block]:
    total = manifest.total
    yield Paragraph(
        f"{total.rows:,} Chinese sentences with {total.hanzi:,} hanzi from {len(manifest.sources)} "
        f"sources in {len(manifest.domains)} domains, every hanzi with its reading in pinyin: "
        "training data for pinyin-to-hanzi conversion and for reading hanzi aloud. Readings "
        "are those of standard Mandarin. `yinzi-train report` measures what it holds."
    )
    yield Table(
        ["split", "sentences", "hanzi"],
        [[name, f"{c.rows:,}", f"{c.hanzi:,}"] for name, c in manifest.splits.items()],
        n_numbers=2,
    )


def _use(manifest: DatasetManifest) -> Iterator[Block]:
    yield Heading("How to load it")
    yield Paragraph(
        "One configuration a split, or all rows with their column `split`; `filters` is passed on "
        "to the Parquet reader, so it may choose domains, sources, licences or folds as well:"
    )
    yield Bullets(
        [
            '`load_dataset("path/of/this/folder", "train", split="train")`',
            '`load_dataset("path/of/this/folder", "sentences", split="sentences", '
            'filters=[("split", "==", "train"), ("fold", "!=", 0)])`',
            '`yinzi_train.dataset.open_dataset(folder).iter_tables(split="train")`',
            '`yinzi-train query "select domain, count(*) from rows group by domain" '
            "--dataset FOLDER`",
        ]
    )
    yield Paragraph(
        "Choose models on validation and report on test. The train split has "
        f"{len(manifest.folds)} folds for cross-validation."
    )


def _columns() -> Iterator[Block]:
    yield Heading("Columns")
    yield Table(
        ["column", "type", "meaning"],
        [[f"`{field.name}`", str(field.type), _COLUMNS[field.name]] for field in ROW_SCHEMA],
    )


def _making(manifest: DatasetManifest) -> Iterator[Block]:
    labeller = " ".join(str(part) for part in manifest.labeller.values())
    dropped = sum(manifest.drops.values())
    corpus = manifest.config.get("corpus", {})
    script = _SCRIPTS.get(corpus.get("script", ""), "")
    yield Heading("How it was made")
    items = [
        f"Collected and cleaned: of {manifest.rows_read:,} rows read, {dropped:,} were dropped, "
        "each with a reason that is counted in `manifest.json`: markup, boilerplate, other "
        "languages, garbled text, exact and near duplicates, and the like. Samples of them are in "
        f"the folder `dropped`.{script}",
        f"Labelled by machine: {labeller or 'see the manifest'}. Where two annotators disagreed on "
        f"a polyphone, its index is in `doubtful`: {manifest.doubtful:,} hanzi of "
        f"{manifest.total.hanzi:,}.",
        "Divided into splits by a hash of the hanzi of a sentence, so that equal sentences never "
        "fall into two splits, and the division does not change when sources are added.",
    ]
    if manifest.contamination:
        names = ", ".join(f"`{record.name}`" for record in manifest.contamination)
        items.append(
            f"Compared with the evaluation sets {names}: training sentences that share text with "
            "them were dropped."
        )
    items.append(
        f"Built {manifest.created} with `yinzi-train dataset`; the manifest holds every setting, "
        "and size and sha256 of every shard. The same input gives the same bytes."
    )
    yield Bullets(items)


def _limits(manifest: DatasetManifest) -> Iterator[Block]:
    yield Heading("Known limits")
    items = [
        "Readings are automatic: no person has looked at them. Polyphones in rare words and names, "
        "neutral tones, erhua and tone sandhi are where they go wrong; `doubtful` marks part of "
        "that only, and a hanzi that it does not list can still be read wrongly.",
        "Texts are of the web, news, reviews, subtitles and schoolbooks more than of anything "
        "else, and carry their habits, errors and prejudices. Names, dialects and the speech of "
        "people who seldom write are under-represented.",
        "Some sources are old: facts and usage are those of their time.",
    ]
    for pattern, text in _CAUTIONS:
        names = [
            f"`{record.source}`"
            for record in manifest.sources
            if pattern.search(record.source) or pattern.search(_note(record))
        ]
        if names:
            items.append(text.format(sources=", ".join(names)))
    yield Bullets(items)


def _personal_data(manifest: DatasetManifest) -> Iterator[Block]:
    is_masked = manifest.config.get("corpus", {}).get("mask_personal_data", False)
    yield Heading("Personal data")
    yield Paragraph(
        (
            "Telephone, identity card and bank card numbers and e-mail addresses are masked by "
            "rules, with placeholders such as `<phone>`; one in an unusual form may have escaped. "
            if is_masked
            else "Telephone, identity card and bank card numbers and e-mail addresses were not "
            "masked when this dataset was built. "
        )
        + "Names of people are not masked: names of public persons, of characters, and nicknames "
        "in posts occur. Do not use the dataset to find out about people, and do not try to trace "
        "a sentence back to its writer. Whoever finds something about a person in it can ask for "
        "its removal by the `id` of the sentence."
    )


def _licences(manifest: DatasetManifest) -> Iterator[Block]:
    yield Heading("Licences and attribution")
    n_open = sum(record.hanzi for record in manifest.sources if record.licence.startswith("[open]"))
    share = n_open / max(manifest.total.hanzi, 1)
    yield Paragraph(
        "Every sentence keeps the licence of its source, in its column `licence`; the dataset adds "
        "no rights and takes none away. `[open]`: the source has an open licence "
        f"({share:.1%} of the hanzi). `[unstated]`: it was published without one; this gives no "
        "right to publish its text again, and the law of your country says what else you may do. "
        "Changes: cleaned, divided into sentences, labelled. Share-alike licences hold for what is "
        "passed on of their texts."
    )
    by_licence: dict[str, list[SourceRecord]] = defaultdict(list)
    for record in manifest.sources:
        by_licence[record.licence.partition(";")[0].strip()].append(record)
    yield Table(
        ["licence", "source", "published at", "note", "sentences", "hanzi"],
        [
            [
                licence,
                f"`{record.source}`",
                _link(record.origin),
                _note(record),
                f"{record.rows:,}",
                f"{record.hanzi:,}",
            ]
            for licence in sorted(by_licence)
            for record in by_licence[licence]
        ],
        n_numbers=2,
    )


def _note(record: SourceRecord) -> str:
    """Return what follows the name of a licence."""
    mark, _, rest = record.licence.partition("] ")
    if mark == "[unstated":
        return rest
    return record.licence.partition(";")[2].strip()


def _link(origin: str) -> str:
    """Return where a source was published, as an address where it is on the web.

    >>> _link("github:thu-coai/KdConv 653db764"), _link("own notes")
    ('https://github.com/thu-coai/KdConv 653db764', 'own notes')
    """
    place, _, rest = origin.partition(":")
    if place in _PLACES and rest:
        work, _, version = rest.replace("==", " ").partition(" ")
        return f"{_PLACES[place]}{work} {version}".strip()
    return origin or "not known"
