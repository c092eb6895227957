"""Make the OpenAPI document say what is true of this service: its limits and how to sign in."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from yinzi.serve.settings import Settings
from yinzi.serve.typing_options import available_options

__all__ = ["set_document"]

_KEYWORDS = {"length": "maxLength", "items": "maxItems", "value": "maximum"}
_PREFIX = "x-limit-"


def set_document(app: FastAPI, settings: Settings) -> None:
    """Replace the function of an application that makes its document."""
    made: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not made:
            made.update(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    routes=app.routes,
                )
            )
            _put_limits(made, settings)
            # Every path answers its own problems in its own shape; FastAPI's is not used.
            schemas = made["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            if settings.keys_path is not None:
                made["components"]["securitySchemes"] = {
                    "key": {"type": "http", "scheme": "bearer"}
                }
                made["security"] = [{"key": []}]
        return made

    app.openapi = document  # type: ignore[method-assign]


def _put_limits(node: Any, settings: Settings) -> None:
    """Turn the names of limits into numbers, everywhere below a node."""
    if isinstance(node, list):
        for one in node:
            _put_limits(one, settings)
    if isinstance(node, dict):
        for kind, keyword in _KEYWORDS.items():
            setting = node.pop(_PREFIX + kind, None)
            if setting is not None:
                node[keyword] = getattr(settings, setting)
        _put_option(node)
        for one in node.values():
            _put_limits(one, settings)


def _put_option(node: dict[str, Any]) -> None:
    """List the values that an option can have in this version."""
    name = node.pop(_PREFIX + "option", None)
    if name is None:
        return
    values = available_options().get(name, [])
    if node.get("type") == "boolean":
        if "true" not in values:
            node["const"] = False
    elif node.get("type") != "array":
        node["enum"] = values
        node.pop("maxLength", None)
    elif values:
        node["items"] = {"type": "string", "enum": values}
    else:
        node["maxItems"] = 0
