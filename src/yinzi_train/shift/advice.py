"""Say why figures may mislead, and what to do about a text that is far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from yinzi_train.shift.sample import Sample
from yinzi_train.shift.verdicts import MeasuredValue

__all__ = ["suggestions", "warnings_of"]

FEW_HANZI: Final = 1_000
"""Below, the interval of the expected accuracy is visibly wider than that of a long text."""
ENOUGH_SENTENCES: Final = 500
"""From here on adaptation has something to learn from and to hold out."""
_MUCH: Final = 0.05


def warnings_of(
    sample: Sample,
    *,
    fits: bool,
    artifact: str,
    reference: str,
    has_encoder: bool,
    measures: Sequence[MeasuredValue],
) -> tuple[str, ...]:
    """Return why the figures may mislead.

    Args:
        sample: the text.
        fits: the figures to compare with are of this artifact.
        artifact: name and version of it.
        reference: name and version of that which was measured.
        has_encoder: the artifact has a neural model.
        measures: of the text.
    """
    notes = sample.notes
    found = []
    if sample.n_hanzi < FEW_HANZI:
        found.append(
            f"only {sample.n_hanzi:,} hanzi in {sample.n_sentences:,} sentences: all figures are "
            f"rough; give {FEW_HANZI:,} hanzi or more"
        )
    if notes.n_lines and notes.n_traditional > _MUCH * notes.n_lines:
        found.append(
            f"{notes.n_traditional:,} of {notes.n_lines:,} lines are in traditional hanzi; they "
            "were turned into simplified ones, which the models work in"
        )
    if notes.n_sentences and notes.n_repeated > 0.2 * notes.n_sentences:
        found.append(
            f"{notes.n_repeated:,} of {notes.n_sentences:,} sentences came before and were counted "
            "once"
        )
    n_dropped = sum(notes.dropped.values())
    if n_dropped > 0.2 * (notes.n_sentences + n_dropped):
        why = ", ".join(f"{name} {n:,}" for name, n in sorted(notes.dropped.items()))
        found.append(f"{n_dropped:,} lines or sentences were dropped by cleaning: {why}")
    if not has_encoder:
        found.append(
            f"artifact {artifact} has no neural model; the expected accuracy is that of "
            f"{reference}, which has one: expect less"
        )
    elif not fits:
        found.append(
            f"ranges and expected accuracy were measured with {reference}, not with {artifact}; "
            "measure them anew with --fit, or use --measure"
        )
    if any(m.name == "perplexity_hanzi" and m.verdict == "beyond all sets" for m in measures):
        found.append(
            "the text is stranger than every set that expectations rest on: the expected accuracy "
            "is a guess; use --measure"
        )
    return tuple(found)


def suggestions(
    sample: Sample,
    *,
    verdict: str,
    measures: Sequence[MeasuredValue],
    words: Sequence[str],
    unknown: Sequence[str],
) -> tuple[str, ...]:
    """Return what to do.

    Args:
        sample: the text.
        verdict: on the whole.
        measures: of the text.
        words: over-represented ones, the most telling first.
        unknown: hanzi that no word of the lexicon has.
    """
    by_name = {one.name: one for one in measures}
    found = []
    if sample.notes.n_lines and sample.notes.n_traditional > _MUCH * sample.notes.n_lines:
        found.append("to get traditional hanzi out of the converter: yinzi convert --traditional")
    if unknown:
        found.append(
            f"hanzi that cannot be typed: {' '.join(unknown[:10])}; add the words they stand in "
            "with yinzi user add"
        )
    if by_name["rare_hanzi"].verdict in {"far", "beyond all sets"}:
        longer = [word for word in words if len(word) > 1][:5]
        listed = f" (such as {'、'.join(longer)})" if longer else ""
        found.append(
            f"many words are rare in the training text{listed}: import a list of your terms with "
            "yinzi user import terms.txt"
        )
    if sample.n_hanzi < FEW_HANZI:
        found.append(f"give {FEW_HANZI:,} hanzi or more before deciding anything")
    elif verdict == "near":
        found.append(
            "the text is like the training text: the models fit as they are, and adaptation will "
            "gain little"
        )
    elif sample.n_sentences >= ENOUGH_SENTENCES:
        found.append(
            "adapt the models to the text: yinzi-train adapt TEXTS --name NAME prints what it gains"
        )
    else:
        found.append(
            f"collect {ENOUGH_SENTENCES:,} sentences or more, of which {sample.n_sentences:,} are "
            "here, and adapt the models: yinzi-train adapt TEXTS --name NAME"
        )
    return tuple(found)
