"""The command `yinzi serve`: the HTTP service, and its API keys."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from yinzi.cli.running import DebugOption

if TYPE_CHECKING:
    from yinzi.serve.keys import ApiKey

__all__ = ["app", "serve"]

_DAY = 86_400

app = typer.Typer(
    name="serve",
    help="Serve the library over HTTP: on this machine alone, unless told otherwise.",
    epilog="""Examples:

$ yinzi serve

yinzi serves on http://127.0.0.1:8462

$ curl -s http://127.0.0.1:8462/v1/convert --json '{"pinyin": "woyaomaijipiao"}'

$ yinzi serve --host 0.0.0.0 --workers 2 --keys keys.json --audit-log audit.jsonl""",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(
    name="keys",
    help="Make, list and revoke API keys; a running service follows within about a second.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(keys_app)

KeysOption = Annotated[Path, typer.Option("--keys", metavar="FILE", help="File of API keys.")]
_KEYS_FILE = Path("keys.json")


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="TOML file with a table named serve."),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8462")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that convert.", show_default="1")
    ] = None,
    artifact: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH", help="Artifact to use.", show_default="base"),
    ] = None,
    no_encoder: Annotated[
        bool,
        typer.Option("--no-encoder", help="Leave the neural model out.", show_default=False),
    ] = False,
    keys: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Ask for API keys of this file; see `yinzi serve keys add`."
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Allow other addresses than loopback without API keys.",
            show_default=False,
        ),
    ] = False,
    tls_certificate: Annotated[
        str | None, typer.Option(metavar="PEM", help="Serve HTTPS with this certificate.")
    ] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="PEM", help="Its private key.")] = None,
    audit_log: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write who asked, when and how much, never what; - is stderr.",
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Web pages elsewhere that may call; repeatable."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Host headers that are answered; repeatable."),
    ] = None,
    no_page: Annotated[
        bool, typer.Option("--no-page", help="Leave the web page out.", show_default=False)
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Run the service, unless a command about keys follows."""
    if context.invoked_subcommand is not None:
        return
    from yinzi.serve.server import run_service
    from yinzi.serve.settings import Settings

    changes: dict[str, Any] = {
        "host": host,
        "port": port,
        "workers": workers,
        "artifact": artifact,
        "uses_encoder": False if no_encoder else None,
        "keys_path": keys,
        "is_insecure": True if insecure else None,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
        "audit_log": audit_log,
        "cors_origins": cors_origin or None,
        "allowed_hosts": allowed_host or None,
        "serves_page": False if no_page else None,
    }
    settings = (Settings() if config is None else Settings.from_file(config)).updated(changes)
    run_service(
        settings,
        announce=lambda address: print(f"yinzi serves on {address}", file=sys.stderr, flush=True),
    )


@keys_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    *,
    keys: KeysOption = _KEYS_FILE,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it allows; repeatable.", show_default="all but metrics"),
    ] = None,
    days: Annotated[
        float | None, typer.Option(help="Days until it expires.", show_default="never")
    ] = None,
    rate: Annotated[float, typer.Option(help="Requests a second in the long run.")] = 50.0,
    burst: Annotated[int, typer.Option(help="Requests at once.")] = 100,
) -> None:
    """Make a key and print it: it is shown this once, the file keeps its hash."""
    from yinzi.serve.keys import DEFAULT_SCOPES, add_key

    key, token = add_key(
        keys,
        name=name,
        now=time.time(),
        scopes=scope or DEFAULT_SCOPES,
        lifetime=None if days is None else days * _DAY,
        rate=rate,
        burst=burst,
    )
    print(f"key {key.key_id} of {key.name!r} is in {keys}; it is not shown again:", file=sys.stderr)
    print(token)


@keys_app.command("list")
def list_keys(*, keys: KeysOption = _KEYS_FILE) -> None:
    """Print id, name, state, scopes and limits of every key, separated by tabs."""
    from yinzi.serve.keys import KeyStore

    for key in KeyStore(keys).all_keys():
        print(
            f"{key.key_id}\t{key.name}\t{_state(key)}\t{','.join(key.scopes)}\t"
            f"{key.rate:g}/s\tburst {key.burst}"
        )


@keys_app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id, as `yinzi serve keys list` shows it.")],
    *,
    keys: KeysOption = _KEYS_FILE,
) -> None:
    """Refuse a key from now on."""
    from yinzi.serve.keys import revoke_key

    key = revoke_key(keys, key_id)
    print(f"key {key.key_id} of {key.name!r} is revoked", file=sys.stderr)


def _state(key: ApiKey) -> str:
    if key.is_revoked:
        return "revoked"
    if not key.is_valid(time.time()):
        return "expired"
    if key.expires is None:
        return "valid"
    end = datetime.fromtimestamp(key.expires, timezone.utc)
    return f"valid until {end:%Y-%m-%d}"
