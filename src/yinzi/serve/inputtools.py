"""Answer as Google Input Tools does, so that clients written for it need another address only.

The format has no public description; this is what its clients read: a list of "SUCCESS" and a list
of results, each with the input, the candidates, an empty list, and a table. In the table
`annotation` is the pinyin of each candidate, `matched_length` the letters that it consumes (there
only if some candidate leaves letters over), `candidate_type` 0, and `lc` a 16 for each hanzi.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from yinzi.converter import Candidate
from yinzi.serve.batching import units_of
from yinzi.serve.problems import Problem
from yinzi.serve.routes import check_length, engine_of, facts_of
from yinzi.serve.schemas import ErrorResponse
from yinzi.serve.typing_options import TypingOptions, available_options
from yinzi.text import is_hanzi

__all__ = ["input_tools_answer", "router"]

_TOOLS: Final = {
    "zh-t-i0-pinyin": TypingOptions(),
    "zh-hans-t-i0-pinyin": TypingOptions(),
    "zh-hant-t-i0-pinyin": TypingOptions(script="traditional"),
}
_DEFAULT_NUM: Final = 5
_SENTENCES: Final = 5
_NUMBER: Final = re.compile(r"-?[0-9]{1,6}")
_REFUSED: Final = ["FAILED_TO_PARSE_REQUEST_BODY"]

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {
                "example": [
                    "SUCCESS",
                    [
                        [
                            "nihao",
                            ["你好"],
                            [],
                            {"annotation": ["ni hao"], "candidate_type": [0], "lc": ["16 16"]},
                        ]
                    ],
                ]
            }
        },
        "description": "Candidates in the format of Google Input Tools.",
    },
    **{
        status: {"model": ErrorResponse, "description": description}
        for status, description in {
            401: "No valid API key.",
            403: "The API key does not allow this.",
            408: "The body came too slowly.",
            413: "The body is too large.",
            415: "The body is not plain UTF-8.",
            422: "A parameter is wrong or not available.",
            429: "Too much at once: see Retry-After.",
            503: "Starting or stopping.",
            504: "It took too long.",
        }.items()
    },
    400: {"description": "The parameters cannot be read."},
}

router = APIRouter(tags=["input tools"], responses=_RESPONSES)

_PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        "name": "text",
        "in": "query",
        "required": True,
        "description": "Pinyin.",
        "schema": {"type": "string", "x-limit-length": "max_line_characters"},
        "example": "nihao",
    },
    {
        "name": "itc",
        "in": "query",
        "required": False,
        "description": "Input tool code.",
        "schema": {
            "type": "string",
            "enum": [
                code
                for code, options in _TOOLS.items()
                if options.script in available_options()["script"]
            ],
        },
    },
    {
        "name": "num",
        "in": "query",
        "required": False,
        "description": "Candidates.",
        "schema": {"type": "integer", "minimum": 1, "x-limit-value": "max_n_best"},
    },
]
_DOCUMENT: Final = {"parameters": _PARAMETERS}


def input_tools_answer(text: str, candidates: list[Candidate]) -> list[Any]:
    """Return candidates as Google Input Tools shows them.

    >>> one = Candidate("你好", -1.0, 0, 5, "sentence", ("ni", "hao"))
    >>> input_tools_answer("nihao", [one])[1][0][3]["lc"]
    ['16 16']
    """
    table: dict[str, list[Any]] = {
        "annotation": [" ".join(one.syllables) for one in candidates],
        "candidate_type": [0] * len(candidates),
        "lc": [
            " ".join("16" if is_hanzi(char) else "0" for char in one.text) for one in candidates
        ],
    }
    if any(one.end < len(text) for one in candidates):
        table["matched_length"] = [one.end for one in candidates]
    return ["SUCCESS", [[text, [one.text for one in candidates], [], table]]]


async def _answer(request: Request, parameters: Mapping[str, str]) -> JSONResponse:
    text = parameters.get("text")
    options = _TOOLS.get(parameters.get("itc", "zh-t-i0-pinyin"))
    number = parameters.get("num", str(_DEFAULT_NUM))
    if text is None or options is None or not _NUMBER.fullmatch(number):
        return JSONResponse(_REFUSED, 400)
    engine, num = engine_of(request), int(number)
    check_length(engine, text)
    if not 1 <= num <= engine.settings.max_n_best:
        raise Problem(422, "too_many", f"num is {num}: expected 1 to {engine.settings.max_n_best}")
    converter = engine.converter(options)
    found = await engine.batcher.call(
        lambda: converter.candidates(text, n_best=min(num, _SENTENCES), limit=num),
        units=units_of(text),
    )
    facts = facts_of(request)
    facts.n_lines, facts.n_characters, facts.n_candidates = 1, len(text), len(found)
    return JSONResponse(input_tools_answer(text, found))


@router.get("/inputtools/request", openapi_extra=_DOCUMENT)
async def input_tools(request: Request) -> JSONResponse:
    """Convert as Google Input Tools does; further parameters of its clients are not looked at."""
    return await _answer(request, request.query_params)


@router.post("/inputtools/request", openapi_extra=_DOCUMENT)
async def input_tools_form(request: Request) -> JSONResponse:
    """Do the same with the parameters in the address, in a form body, or in both."""
    parameters = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            parameters.update(parse_qsl((await request.body()).decode(), max_num_fields=32))
        except ValueError:
            return JSONResponse(_REFUSED, 400)
    return await _answer(request, parameters)
