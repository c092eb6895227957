"""Answer as Google Input Tools does, so that clients written for it need another address only.

The format has no public description; this is what its clients read: a list of "SUCCESS" and a list
of results, each with the input, the candidates, an empty list, and a table. In the table
`annotation` is the pinyin of each candidate, `matched_length` the letters that it consumes (there
only if some candidate leaves letters over), `candidate_type` 0, and `lc` a 16 for each hanzi.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse

from yinzi.converter import Candidate
from yinzi.serve.batching import units_of
from yinzi.serve.problems import Problem
from yinzi.serve.routes import check_length, engine_of, facts_of
from yinzi.serve.schemas import ErrorResponse
from yinzi.serve.typing_options import TypingOptions
from yinzi.text import is_hanzi

__all__ = ["input_tools_answer", "router"]

_TOOLS: Final = {
    "zh-t-i0-pinyin": TypingOptions(),
    "zh-hans-t-i0-pinyin": TypingOptions(),
    "zh-hant-t-i0-pinyin": TypingOptions(script="traditional"),
}
_DEFAULT_NUM: Final = 5
_SENTENCES: Final = 5
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

TextParameter = Annotated[
    str | None,
    Query(description="Pinyin.", examples=["nihao"]),
]
ToolParameter = Annotated[str, Query(description="Input tool code.", examples=[*_TOOLS])]
NumParameter = Annotated[int, Query(ge=1, json_schema_extra={"x-limit-value": "max_n_best"})]


def input_tools_answer(text: str, candidates: list[Candidate]) -> list[Any]:
    """Return candidates as Google Input Tools shows them.

    >>> one = Candidate("你好", -1.0, 0, 5, "sentence", ("ni", "hao"))
    >>> input_tools_answer("nihao", [one])[1][0][3]["lc"]
    ['16 16']
    """
    table: dict[str, list[Any]] = {
        "annotation": [" ".join(one.syllables) for one in candidates],
        "candidate_type": [0] * len(candidates),
        "lc": [" ".join("16" if is_hanzi(char) else "0" for char in one.text) for one in candidates],
    }
    if any(one.end < len(text) for one in candidates):
        table["matched_length"] = [one.end for one in candidates]
    return ["SUCCESS", [[text, [one.text for one in candidates], [], table]]]


async def _answer(request: Request, text: str | None, itc: str, num: int) -> JSONResponse:
    options = _TOOLS.get(itc)
    if text is None or options is None:
        return JSONResponse(_REFUSED, 400)
    engine = engine_of(request)
    check_length(engine, text)
    if num > engine.settings.max_n_best:
        raise Problem(
            422, "too_many", f"num is {num}: expected 1 to {engine.settings.max_n_best}"
        )
    converter = engine.converter(options)
    found = await engine.batcher.call(
        lambda: converter.candidates(text, n_best=min(num, _SENTENCES), limit=num),
        units=units_of(text),
    )
    facts = facts_of(request)
    facts.n_lines, facts.n_characters, facts.n_candidates = 1, len(text), len(found)
    return JSONResponse(input_tools_answer(text, found))


@router.get("/inputtools/request")
async def input_tools(
    request: Request,
    text: TextParameter = None,
    itc: ToolParameter = "zh-t-i0-pinyin",
    num: NumParameter = _DEFAULT_NUM,
) -> JSONResponse:
    """Convert as Google Input Tools does; further parameters of its clients are not looked at."""
    return await _answer(request, text, itc, num)


@router.post("/inputtools/request")
async def input_tools_form(
    request: Request,
    text: TextParameter = None,
    itc: ToolParameter = "zh-t-i0-pinyin",
    num: NumParameter = _DEFAULT_NUM,
) -> JSONResponse:
    """Do the same with the parameters in the address or in a form body."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            form = parse_qs((await request.body()).decode("utf-8"), max_num_fields=32)
            text = form.get("text", [text])[0]
            itc = form.get("itc", [itc])[0]
            num = int(form.get("num", [str(num)])[0])
        except ValueError:
            return JSONResponse(_REFUSED, 400)
        if num < 1:
            return JSONResponse(_REFUSED, 400)
    return await _answer(request, text, itc, num)
