"""The paths of the API: read a request, ask the engine, show the answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, cast

from fastapi import APIRouter, Request
from starlette.responses import Response

import yinzi
from yinzi.converter import Candidate, OutputForm
from yinzi.decoding import ExplainedHypothesis
from yinzi.pinyin import Syllable
from yinzi.serve import schemas
from yinzi.serve.audit import RequestFacts
from yinzi.serve.batching import units_of
from yinzi.serve.engine import Engine, Line
from yinzi.serve.lattice_view import view_lattice
from yinzi.serve.metrics import CONTENT_TYPE, Metrics
from yinzi.serve.problems import Problem
from yinzi.serve.typing_options import TypingOptions, available_options

__all__ = ["check_length", "engine_of", "facts_of", "router"]

_LIMITS = (
    "max_body_bytes",
    "max_line_characters",
    "max_lines",
    "max_n_best",
    "max_message_bytes",
)
_WORDS_SHOWN = 100
_EXPLAINED_CHARACTERS = 200

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": schemas.ErrorResponse, "description": "Not JSON, or a wrong Host header."},
    401: {"model": schemas.ErrorResponse, "description": "No valid API key."},
    403: {"model": schemas.ErrorResponse, "description": "The API key does not allow this."},
    408: {"model": schemas.ErrorResponse, "description": "The body came too slowly."},
    413: {"model": schemas.ErrorResponse, "description": "The body is too large."},
    415: {"model": schemas.ErrorResponse, "description": "The body is not plain UTF-8."},
    422: {"model": schemas.ErrorResponse, "description": "A field is wrong or not available."},
    429: {"model": schemas.ErrorResponse, "description": "Too much at once: see Retry-After."},
    503: {"model": schemas.ErrorResponse, "description": "Starting or stopping."},
    504: {"model": schemas.ErrorResponse, "description": "It took too long."},
}

router = APIRouter(responses=_PROBLEMS)


def engine_of(request: Request) -> Engine:
    """Return the engine of the application.

    Raises:
        Problem: 503, the models are not loaded yet.
    """
    engine = cast(Engine, request.app.state.engine)
    if not engine.is_ready:
        raise Problem(503, "starting", "the models are not loaded yet", retry_after=1)
    return engine


def facts_of(request: Request) -> RequestFacts:
    """Return what is counted of a request."""
    return cast(RequestFacts, request.scope["yinzi.facts"])


def check_length(engine: Engine, *texts: str) -> None:
    """Check the length of texts.

    Raises:
        Problem: 422, one is too long.
    """
    limit = engine.settings.max_line_characters
    longest = max(map(len, texts))
    if longest > limit:
        raise Problem(422, "too_long", f"a text has {longest} characters: expected at most {limit}")


def _check_count(engine: Engine, n_best: int) -> None:
    if n_best > engine.settings.max_n_best:
        raise Problem(
            422,
            "too_many",
            f"n_best is {n_best}: expected 1 to {engine.settings.max_n_best}",
        )


def _note(request: Request, texts: Iterable[str], n_candidates: int = 0) -> None:
    facts = facts_of(request)
    for text in texts:
        facts.n_lines += 1
        facts.n_characters += len(text)
    facts.n_candidates += n_candidates


def _candidates(found: Sequence[Candidate]) -> list[schemas.CandidateModel]:
    return [
        schemas.CandidateModel.model_construct(
            text=one.text,
            logprob=float(one.logprob),
            start=one.start,
            end=one.end,
            kind=one.kind,
            syllables=list(one.syllables),
        )
        for one in found
    ]


def _words(explained: ExplainedHypothesis) -> list[str]:
    return [word.text for word in explained.words]


def _written(output: OutputForm | None, texts: list[str]) -> list[str]:
    """Return texts in the form that was asked for."""
    return texts if output is None else output.write(texts)


@router.post("/v1/convert", tags=["convert"])
async def convert(request: Request, body: schemas.ConvertRequest) -> schemas.ConvertResponse:
    """Convert one input to hanzi."""
    engine = engine_of(request)
    check_length(engine, body.pinyin, body.left_context)
    _check_count(engine, body.n_best)
    options = body.options.to_options()
    if body.includes_words:
        converter = engine.converter(options)
        found = await engine.batcher.call(
            lambda: converter.candidates(
                body.pinyin,
                left_context=body.left_context,
                n_best=body.n_best,
                limit=body.n_best + _WORDS_SHOWN,
            ),
            units=units_of(body.pinyin),
        )
    else:
        line = Line(body.pinyin, body.left_context, body.n_best)
        found = (await engine.convert([line], options))[0]
    _note(request, [body.pinyin], len(found))
    return schemas.ConvertResponse.model_construct(candidates=_candidates(found))


@router.post("/v1/convert/batch", tags=["convert"])
async def convert_batch(request: Request, body: schemas.BatchRequest) -> schemas.BatchResponse:
    """Convert many inputs to hanzi, which is faster than one by one."""
    engine = engine_of(request)
    if len(body.inputs) > engine.settings.max_lines:
        raise Problem(
            422,
            "too_many",
            f"{len(body.inputs)} inputs: expected at most {engine.settings.max_lines}",
        )
    _check_count(engine, body.n_best)
    for one in body.inputs:
        check_length(engine, one.pinyin, one.left_context)
    lines = [Line(one.pinyin, one.left_context, body.n_best) for one in body.inputs]
    answers = await engine.convert(lines, body.options.to_options())
    _note(request, (line.pinyin for line in lines), sum(map(len, answers)))
    return schemas.BatchResponse.model_construct(
        results=[
            schemas.ConvertResponse.model_construct(candidates=_candidates(found))
            for found in answers
        ]
    )


@router.post("/v1/annotate", tags=["hanzi"])
async def annotate(request: Request, body: schemas.AnnotateRequest) -> schemas.AnnotateResponse:
    """Say how the hanzi of a text are read."""
    engine = engine_of(request)
    check_length(engine, body.text)
    converter = engine.converter(TypingOptions(script=body.script))

    def ask() -> list[tuple[str, Syllable | None]]:
        output = converter.output
        if output is None:
            return converter.annotate(body.text)
        known = output.read_context(body.text)
        if len(known) != len(body.text):  # some word has more hanzi in one script
            return converter.annotate(body.text)
        readings = converter.annotate(known)
        return [(written, one) for written, (_, one) in zip(body.text, readings, strict=True)]

    pairs = await engine.batcher.call(ask, units=units_of(body.text))
    _note(request, [body.text])
    return schemas.AnnotateResponse(
        characters=[
            schemas.CharacterModel(
                character=character,
                pinyin=None if syllable is None else syllable.to_marks(),
                pinyin_digits=None if syllable is None else syllable.to_digits(),
                zhuyin=None if syllable is None else syllable.to_zhuyin(),
            )
            for character, syllable in pairs
        ]
    )


@router.post("/v1/correct", tags=["hanzi"])
async def correct(request: Request, body: schemas.CorrectRequest) -> schemas.CorrectResponse:
    """Correct hanzi of the right sound and the wrong meaning."""
    engine = engine_of(request)
    check_length(engine, body.text)
    _check_count(engine, body.n_best)
    converter = engine.converter()
    found = await engine.batcher.call(
        lambda: converter.correct(
            body.text, change_logprob=body.change_logprob, n_best=body.n_best
        ),
        units=2 * units_of(body.text),
    )
    _note(request, [body.text], 1 + len(found.alternatives))
    return schemas.CorrectResponse(
        text=found.text,
        changes=[schemas.ChangeModel(**dataclasses.asdict(change)) for change in found.changes],
        alternatives=list(found.alternatives),
    )


@router.post("/v1/explain", tags=["convert"])
async def explain(request: Request, body: schemas.ExplainRequest) -> schemas.ExplainResponse:
    """Say why the first candidates of an input won, feature by feature."""
    engine = engine_of(request)
    check_length(engine, body.pinyin, body.left_context)
    _check_count(engine, body.n_best)
    converter = engine.converter(body.options.to_options())

    def ask() -> schemas.ExplainResponse:
        output = converter.output
        context = body.left_context if output is None else output.read_context(body.left_context)
        explanation = converter.explain(body.pinyin, left_context=context, n_best=body.n_best)
        # A drawing of a long line helps nobody.
        words = (
            view_lattice(converter, body.pinyin, left_context=context)
            if len(body.pinyin) <= _EXPLAINED_CHARACTERS
            else []
        )
        shown = iter(
            _written(
                output,
                [text for one in explanation.candidates for text in (one.text, *_words(one))]
                + [word.text for word in words],
            )
        )
        return schemas.ExplainResponse(
            candidates=[
                schemas.ExplainedModel(
                    text=next(shown),
                    logprob=one.logprob,
                    probability=probability,
                    features=one.features,
                    words=[
                        schemas.ExplainedWordModel(
                            **{**dataclasses.asdict(word), "text": next(shown)}
                        )
                        for word in one.words
                    ],
                )
                for one, probability in zip(
                    explanation.candidates, explanation.probabilities, strict=True
                )
            ],
            weights=dict(explanation.weights),
            lattice=[
                schemas.LatticeWordModel(**word._replace(text=next(shown))._asdict())
                for word in words
            ],
        )

    answer = await engine.batcher.call(ask, units=2 * units_of(body.pinyin))
    _note(request, [body.pinyin], len(answer.candidates))
    return answer


@router.get("/v1/models", tags=["service"])
async def models(request: Request) -> schemas.ModelsResponse:
    """Say what is loaded and what requests may ask for."""
    engine = engine_of(request)
    converter = engine.converter()
    manifest = converter.artifact.manifest
    return schemas.ModelsResponse(
        yinzi_version=yinzi.__version__,
        name=manifest.name,
        version=manifest.version,
        created=manifest.created,
        total_bytes=manifest.total_bytes,
        uses_encoder=converter.decoder.scorer is not None,
        sources=[dataclasses.asdict(source) for source in manifest.sources],
        metrics=dict(manifest.metrics),
        options=available_options(),
        limits={name: getattr(engine.settings, name) for name in _LIMITS},
    )


@router.get("/health", tags=["service"])
async def health() -> schemas.HealthResponse:
    """Say that the process runs."""
    return schemas.HealthResponse(status="ok")


@router.get("/ready", tags=["service"])
async def ready(request: Request) -> schemas.HealthResponse:
    """Say that the models are loaded and requests are taken."""
    engine_of(request)
    return schemas.HealthResponse(status="ok")


@router.get(
    "/metrics",
    tags=["service"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "As Prometheus reads it."}},
)
async def metrics(request: Request) -> Response:
    """Count requests, queues and times."""
    counts = cast(Metrics, request.app.state.metrics)
    return Response(counts.render(), headers={"Content-Type": CONTENT_TYPE})
