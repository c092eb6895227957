"""Write the model card of an artifact from its manifest alone, as Markdown."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from yinzi.artifact import Manifest, Source

__all__ = ["model_card"]

_LICENCE: Final = re.compile(r"\b(CC BY-SA|CC BY|MIT)\b(?: (\d\.\d))?")
_LICENCE_PAGES: Final = {
    "MIT": "https://opensource.org/license/mit",
    "CC BY": "https://creativecommons.org/licenses/by/",
    "CC BY-SA": "https://creativecommons.org/licenses/by-sa/",
}
_METRICS: Final = {
    "miu_accuracy@1": "MIU@1",
    "miu_accuracy@5": "MIU@5",
    "character_accuracy": "CA",
}

_USE: Final = """\
## Intended use

Turning pinyin into hanzi as people type it, full, unsegmented or abbreviated; pinyin of hanzi
text; and research on both. It runs offline, and nothing typed leaves the machine.

It is not meant for judging people or texts: its scores tell what is commonly written, not what is
right, true or kind. Candidates are offered for a person to choose from.

## Limits

- Simplified hanzi. Accents, slips of the finger and other scripts are handled around the models,
  not by them.
- To the language model only two words of context count; the encoder, where there is one, sees the
  whole input and the text before it, but is small.
- Names and new words that the lexicon lacks are spelled from single hanzi.
- The texts are of the web, news, reviews and subtitles more than of anything else, and carry their
  habits and prejudices; homophones that those texts prefer come first.
- Readings of words are partly automatic: a polyphone in a rare word may be read wrongly.
- Word pairs and triples that were seen fewer than {min_count} times are not in the artifact, so
  that no passage of a text can be read back from it.
"""


def model_card(manifest: Manifest) -> str:
    """Return the model card of an artifact.

    >>> card = model_card(Manifest("tiny", "1", "2025-01-01", {}, {}, (), {}, {}))
    >>> card.splitlines()[0]
    '# Model card: tiny 1'
    """
    parts = [
        f"# Model card: {manifest.name} {manifest.version}\n\n"
        f"A word lattice decoder's data: a lexicon with readings, {_models(manifest)}.\n"
        f"Built {manifest.created}. This page is made from the artifact's manifest by `yinzi-train "
        "model-card`.\n",
        "## Contents\n\n" + "\n".join(_contents(manifest)) + "\n",
        _USE.format(min_count=_min_count(manifest)),
        "## Metrics\n\n" + "\n".join(_metrics(manifest.metrics)) + "\n",
        "## How it was built\n\n" + "\n".join(_training(manifest.training)) + "\n",
        "## Sources\n\n" + "\n".join(_sources(manifest.sources)) + "\n",
        "## Attribution\n\n" + "\n".join(_attribution(manifest.sources)) + "\n",
    ]
    return "\n".join(parts)


def _table(header: list[str], rows: list[list[str]], *, numbers: int = 0) -> Iterator[str]:
    """Yield a table; its last `numbers` columns are aligned right."""
    yield f"| {' | '.join(header)} |"
    marks = ["---"] * (len(header) - numbers) + ["---:"] * numbers
    yield f"| {' | '.join(marks)} |"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _contents(manifest: Manifest) -> Iterator[str]:
    training = manifest.training
    rows = [
        [section, f"{size / 2**20:.2f} MiB"] for section, size in manifest.section_bytes().items()
    ]
    rows.append(["all files", f"{manifest.total_bytes / 2**20:.2f} MiB"])
    if "n_words" in training:
        rows.append(["words", f"{training['n_words']:,}"])
    for order, name in (("bigram", "word pairs"), ("trigram", "word triples")):
        if order in training.get("n_ngrams", {}):
            counted = training.get("n_ngrams_counted", {}).get(order)
            of = f" of {counted:,} counted" if counted else ""
            rows.append([name, f"{training['n_ngrams'][order]:,}{of}"])
    yield from _table(["part", "size"], rows, numbers=1)


def _metrics(metrics: Mapping[str, Any]) -> Iterator[str]:
    if not metrics:
        yield "Not measured yet; `yinzi-train measure` does it."
        return
    yield (
        "Through the public converter, with 95 % intervals. MIU@k: share of inputs that are right "
        "as a whole among the\nfirst k candidates; CA: share of hanzi right in the first. "
        "Definitions: [metrics.md](metrics.md).\nSettings were "
        "chosen on development sets: figures on these are optimistic."
    )
    forms = list(dict.fromkeys(form for by_form in metrics.values() for form in by_form))
    for form in forms:
        measured = {name: by_form[form] for name, by_form in metrics.items() if form in by_form}
        rows = [
            [
                name,
                f"{figures['n_rows']:,}",
                *(_estimate(figures[metric]) for metric in _METRICS),
            ]
            for name, figures in measured.items()
        ]
        if len(rows) > 1:
            means = [
                sum(figures[metric]["value"] for figures in measured.values()) / len(measured)
                for metric in _METRICS
            ]
            n_rows = sum(figures["n_rows"] for figures in measured.values())
            rows.append(["mean", f"{n_rows:,}", *(f"{mean:.3f}" for mean in means)])
        yield f"\n### {form.capitalize()} input\n"
        yield from _table(["set", "rows", *_METRICS.values()], rows, numbers=4)


def _estimate(figures: Mapping[str, float]) -> str:
    return f"{figures['value']:.3f} ({figures['low']:.3f}–{figures['high']:.3f})"


def _min_count(manifest: Manifest) -> int:
    """Return the raw count that every stored word pair and triple has at least."""
    options = manifest.training.get("config", {}).get("language_model", {})
    return int(min(options.get("min_count", (1, 3, 3))[1:]))


def _training(training: Mapping[str, Any]) -> Iterator[str]:
    config = training.get("config", {})
    language_model = config.get("language_model", {})
    if "n_hanzi" in training:
        yield f"- Text: {training['n_hanzi'] / 1e6:.1f} million hanzi, segmented with the lexicon."
    weights = config.get("weights", {})
    given = {**weights.get("domains", {}), **weights.get("sources", {})}
    if given:
        listed = ", ".join(f"{name} {weight:g}" for name, weight in given.items())
        yield f"- Weight of an occurrence by domain or text, 1 where none is named: {listed}."
    if "min_count" in language_model:
        counts = ", ".join(map(str, language_model["min_count"]))
        yield f"- Least raw count of a stored word, pair, triple: {counts}."
    kept = language_model.get("n_ngrams")
    if isinstance(kept, int):
        yield f"- Pruned by relative entropy to {kept:,} n-grams."
    elif kept is not None:
        yield f"- Pruned by relative entropy to {kept[0]:,} pairs and {kept[1]:,} triples."
    vectors = language_model.get("vectors", {})
    if vectors.get("n_words"):
        yield (
            f"- Word vectors: {vectors['n_words']:,} words, {vectors['n_dimensions']} dimensions, "
            f"{vectors['part_size']} of them a byte. They are made of all pairs and triples, those "
            "that are\n  too rare to be stored included, and say how alike words are, not which of "
            "them stood together."
        )
    if "seed" in training:
        yield f"- Seed: {training['seed']}. Commit: {training.get('commit') or 'unknown'}."
    versions = training.get("versions", {})
    if versions:
        yield f"- With {', '.join(f'{name} {version}' for name, version in versions.items())}."
    encoder = training.get("encoder", {})
    if encoder:
        sizes = encoder.get("config", {})
        yield (
            f"- Encoder: {sizes.get('n_layers', '?')} layers of {sizes.get('hidden_size', '?')}, "
            f"{sizes.get('n_pairs', '?')} pairs of syllable and hanzi, trained on the same texts, "
            f"labelled automatically{_seen(encoder)}."
        )
        parity = encoder.get("parity", {})
        if parity:
            yield (
                f"- As int8 it is right at {100 * parity['int8_accuracy']:.2f} % of "
                f"{parity['n_places']:,} places of held-out text, as float32 at "
                f"{100 * parity['float_accuracy']:.2f} %."
            )
    yield "- The manifest holds all settings and the checksums of all sources."


def _models(manifest: Manifest) -> str:
    """Name the models of an artifact, for the first sentence."""
    model = "a word trigram language model with modified Kneser-Ney\nsmoothing"
    if "encoder" not in manifest.section_bytes():
        return f"and {model}"
    return f"{model}, and a neural encoder from syllables to hanzi (int8)"


def _seen(encoder: Mapping[str, Any]) -> str:
    targets = encoder.get("targets_seen")
    return f"; {targets / 1e6:.0f} million hanzi seen" if targets else ""


def _sources(sources: tuple[Source, ...]) -> Iterator[str]:
    texts = [source for source in sources if source.share is not None]
    lists = [source for source in sources if source.share is None]
    yield (
        "Texts gave counts and what a model learns; word lists gave words and readings. `[open]`: "
        "the source has an\nopen licence. `[unstated]`: it was published without one. No text is "
        "part of the "
        "artifact."
    )
    if texts:
        is_open = [source.licence.startswith("[open]") for source in texts]
        share = sum((s.share or 0.0) for s, open_ in zip(texts, is_open, strict=True) if open_)
        yield (
            f"\n### Texts\n\n{len(texts)} texts; share: part of all weighted hanzi. "
            f"{sum(is_open)} texts with {share:.1%} are `[open]`.\n"
        )
        rows = [
            [f"`{text.file}`", text.source, text.licence, f"{text.share or 0.0:.2%}"]
            for text in sorted(texts, key=lambda text: (-(text.share or 0.0), text.file))
        ]
        yield from _table(["file", "source", "licence", "share"], rows, numbers=1)
    if lists:
        yield "\n### Word lists and readings\n"
        rows = [[f"`{part.file}`", part.source, part.licence, part.use] for part in lists]
        yield from _table(["file", "source", "licence", "used for"], rows)


def _attribution(sources: tuple[Source, ...]) -> Iterator[str]:
    by_licence: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for source in sources:
        found = _LICENCE.search(source.licence)
        if found:
            name = " ".join(part for part in found.groups() if part)
            uses = "statistics" if source.share is not None else "words and readings"
            work = _link(source.source)
            if note := source.licence[found.end() :].strip(" ;()"):
                work = f"{work} ({note.replace('(', '').replace(')', '')})"
            by_licence[name][work].add(uses)
    if not by_licence:
        yield "No source asks for attribution."
        return
    yield (
        "The artifact is derived from the works below under their licences. What was changed: "
        "*statistics* means that words\nwere counted; *words and readings* means that these were "
        "taken out, merged with others, and filtered."
    )
    for licence in sorted(by_licence):
        name, _, version = licence.rpartition(" ")
        page = (
            f"{_LICENCE_PAGES[name]}{version}/"
            if name in _LICENCE_PAGES and version[:1].isdigit()
            else _LICENCE_PAGES.get(licence, "")
        )
        yield f"\n### {licence}\n\n<{page}>\n"
        for link in sorted(by_licence[licence]):
            yield f"- {link}: {', '.join(sorted(by_licence[licence][link]))}"


def _link(source: str) -> str:
    """Return the work that a source names, as a link where it is on the web.

    >>> _link("github:thunlp/THUOCL a30ce79d")
    '[thunlp/THUOCL](https://github.com/thunlp/THUOCL)'
    """
    place, _, rest = source.partition(":")
    work = re.split(r"[\s:=]", rest, maxsplit=1)[0]
    if place == "github":
        return f"[{work}](https://github.com/{work})"
    if place == "pypi":
        return f"[{work}](https://pypi.org/project/{work}/)"
    if place == "deb":
        return f"[{work}](https://packages.debian.org/{work})"
    return source
