"""Describe what goes in and out: the models that requests are checked with, and their examples.

Limits are settings, so they are not written here: a field names its limit in `_limited`, the paths
check it, and `yinzi.serve.openapi` puts the number into the OpenAPI document.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from yinzi.serve.typing_options import TypingOptions

__all__ = [
    "AnnotateRequest",
    "AnnotateResponse",
    "BatchRequest",
    "BatchResponse",
    "CandidateModel",
    "ConvertRequest",
    "ConvertResponse",
    "CorrectRequest",
    "CorrectResponse",
    "ErrorResponse",
    "ExplainRequest",
    "ExplainResponse",
    "HealthResponse",
    "ModelsResponse",
    "OptionsModel",
]


def _limited(kind: str, setting: str) -> dict[str, Any]:
    return {f"x-limit-{kind}": setting}


def _check_unicode(text: str) -> str:
    """Refuse half of a surrogate pair, which JSON can write and UTF-8 cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair") from None
    return text


Text = Annotated[
    str,
    AfterValidator(_check_unicode),
    Field(json_schema_extra=_limited("length", "max_line_characters")),
]


def _check_number(value: object) -> object:
    """Refuse what is no number in JSON; 2.0 is the number 2 there."""
    if isinstance(value, (bool, str)):
        raise ValueError("is no number")
    return value


Count = Annotated[
    int,
    Field(ge=1, json_schema_extra=_limited("value", "max_n_best")),
    BeforeValidator(_check_number),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OptionsModel(_Request):
    """How keys are meant, and what is wanted back."""

    scheme: Annotated[
        str,
        Field(
            max_length=64,
            description='What keys mean; "pinyin" is full pinyin.',
            json_schema_extra=_limited("option", "scheme"),
        ),
    ] = "pinyin"
    fuzzy: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Field(
            max_length=40,
            description="Accent profiles or single confusions that are allowed for.",
            json_schema_extra=_limited("option", "fuzzy"),
        ),
    ] = []
    corrects_typing: Annotated[
        bool,
        Field(
            strict=True,
            description="Allow for typing errors; in full pinyin alone.",
            json_schema_extra=_limited("option", "corrects_typing"),
        ),
    ] = False
    script: Annotated[
        str,
        Field(
            max_length=64,
            description='"simplified", "traditional", "taiwan" or "hongkong".',
            json_schema_extra=_limited("option", "script"),
        ),
    ] = "simplified"
    punctuation: Annotated[
        str,
        Field(
            max_length=64,
            description='"as-is" or "chinese".',
            json_schema_extra=_limited("option", "punctuation"),
        ),
    ] = "as-is"
    reads_english: Annotated[
        bool,
        Field(
            strict=True,
            description="Read English words, capitals and numbers among the pinyin.",
            json_schema_extra=_limited("option", "reads_english"),
        ),
    ] = False
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "if": {
                "properties": {"corrects_typing": {"const": True}},
                "required": ["corrects_typing"],
            },
            "then": {"properties": {"scheme": {"const": "pinyin"}}},
        },
    )

    def to_options(self) -> TypingOptions:
        """Return the options as the engine takes them."""
        return TypingOptions(
            self.scheme,
            tuple(sorted(set(self.fuzzy))),
            self.corrects_typing,
            self.script,
            self.punctuation,
            self.reads_english,
        )


class _Input(_Request):
    pinyin: Annotated[Text, Field(description="Letters, with or without blanks and tones.")]
    left_context: Annotated[Text, Field(description="Text before the input.")] = ""


class ConvertRequest(_Input):
    """One input."""

    n_best: Count = 5
    includes_words: Annotated[
        bool,
        Field(strict=True, description="Also words for the first letters, as an input method has."),
    ] = False
    options: OptionsModel = OptionsModel()
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"pinyin": "woyaomaijipiao", "n_best": 2},
                {"pinyin": "shi", "left_context": "今天不", "n_best": 3, "includes_words": True},
            ]
        },
    )


class BatchRequest(_Request):
    """Many inputs, converted together."""

    inputs: Annotated[
        list[_Input],
        Field(min_length=1, json_schema_extra=_limited("items", "max_lines")),
    ]
    n_best: Count = 1
    options: OptionsModel = OptionsModel()
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"inputs": [{"pinyin": "nihao"}, {"pinyin": "xi'an"}], "n_best": 1}]
        },
    )


class CandidateModel(BaseModel):
    """A text for the input, or for its first letters."""

    text: str
    logprob: Annotated[float, Field(description="Natural log; higher is likelier.")]
    start: Annotated[int, Field(description="First character of the input that it consumes.")]
    end: Annotated[int, Field(description="Character behind the last one.")]
    kind: Literal["sentence", "word"]
    syllables: list[str]


class ConvertResponse(BaseModel):
    """Candidates, the best first."""

    candidates: list[CandidateModel]


class BatchResponse(BaseModel):
    """Candidates of each input, in the order of the inputs."""

    results: list[ConvertResponse]


class AnnotateRequest(_Request):
    """A text with hanzi."""

    text: Text
    script: Annotated[
        str,
        Field(
            max_length=64,
            description="Script of the text, as in the options of a conversion.",
            json_schema_extra=_limited("option", "script"),
        ),
    ] = "simplified"
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "我要去西安。"}]}
    )


class CharacterModel(BaseModel):
    """One character with its reading; all readings are null for what is no hanzi."""

    character: str
    pinyin: Annotated[str | None, Field(description="With marks: hǎo.")]
    pinyin_digits: Annotated[str | None, Field(description="With digits: hao3.")]
    zhuyin: str | None


class AnnotateResponse(BaseModel):
    """Every character of the text."""

    characters: list[CharacterModel]


class CorrectRequest(_Request):
    """A text that may hold hanzi of the right sound and the wrong meaning."""

    text: Text
    change_logprob: Annotated[
        float | None,
        Field(
            strict=True,
            ge=-100,
            le=0,
            description="Cost of a changed hanzi, natural log ≤ 0; nearer to 0 changes more.",
        ),
    ] = None
    n_best: Count = 1
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "我要买机票取北京。"}]}
    )


class ChangeModel(BaseModel):
    """Some hanzi of the text, and what they should be."""

    start: int
    end: int
    original: str
    replacement: str
    margin: Annotated[
        float,
        Field(description="How much better the text is with the change, natural log."),
    ]


class CorrectResponse(BaseModel):
    """The corrected text, what was changed, and other ways to correct it."""

    text: str
    changes: list[ChangeModel]
    alternatives: list[str]


class ExplainRequest(_Input):
    """An input whose candidates are to be explained."""

    n_best: Count = 2
    options: OptionsModel = OptionsModel()
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"pinyin": "nihao", "n_best": 2}]}
    )


class ExplainedWordModel(BaseModel):
    """What the models say of one word."""

    text: str
    language_model: float
    encoder: float
    penalties: float


class ExplainedModel(BaseModel):
    """A candidate taken apart: logprob is the sum of features times weights."""

    text: str
    logprob: float
    probability: Annotated[float, Field(description="Among all texts found.")]
    features: dict[str, float]
    words: list[ExplainedWordModel]


class LatticeWordModel(BaseModel):
    """One word of the lattice, between two positions of the input."""

    start: int
    end: int
    text: str
    logprob: Annotated[float, Field(description="Without context, penalties included.")]
    is_best: Annotated[bool, Field(description="It is part of the best candidate.")]


class ExplainResponse(BaseModel):
    """Why candidates stand in their order, and what they were chosen from."""

    candidates: list[ExplainedModel]
    weights: dict[str, float]
    lattice: list[LatticeWordModel]


class ModelsResponse(BaseModel):
    """What is loaded, and what requests may ask for."""

    yinzi_version: str
    name: str
    version: str
    created: str
    total_bytes: int
    uses_encoder: bool
    sources: list[dict[str, Any]]
    metrics: dict[str, Any]
    options: dict[str, list[str]]
    limits: dict[str, float]


class HealthResponse(BaseModel):
    """The process runs, or takes requests."""

    status: Literal["ok"]


class FieldError(BaseModel):
    """One thing that is wrong with a body."""

    field: str
    message: str


class ErrorResponse(BaseModel):
    """What was wrong: a word for programs and a sentence for people."""

    error: str
    detail: str
    fields: list[FieldError] | None = None
