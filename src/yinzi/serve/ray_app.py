"""Serve on many machines with Ray Serve: needs the extra `ray`.

    serve run yinzi.serve.ray_app:build n_replicas=4

Every replica is the same application as `yinzi serve` runs, with its own queue and batches; Ray
places replicas, sends requests to them and replaces those that die. Settings about addresses and
TLS are Ray's here, and are not looked at. The rate of an API key counts in each replica by itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from yinzi.errors import ConfigError, MissingExtra
from yinzi.serve.settings import Settings

if TYPE_CHECKING:
    from ray.serve import Application

__all__ = ["build", "build_application"]

_CPUS_A_REPLICA = 1.0
_MAX_ONGOING = 256


def build_application(
    settings: Settings, *, n_replicas: int = 1, n_cpus: float = _CPUS_A_REPLICA
) -> Application:
    """Return the application for `ray.serve.run`.

    Args:
        settings: of each replica; a file of keys has to be at the same place on every machine.
        n_replicas: at least 1.
        n_cpus: that Ray sets aside for each.

    Raises:
        MissingExtra: the extra `ray` is not installed.
        ConfigError: it would serve everyone without keys; Ray decides on what address, so
            `is_insecure` has to say that this is meant.
    """
    if n_replicas < 1:
        raise ConfigError(f"n_replicas is {n_replicas}: expected at least 1")
    if settings.keys_path is None and not settings.is_insecure:
        raise ConfigError(
            "Ray decides on what address the service listens: give keys_path, or is_insecure=True "
            "to allow everyone"
        )
    try:
        from ray import serve
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the package {error.name!r} is not installed: Ray Serve needs the extra 'ray', "
            "install it with: pip install 'yinzi[ray]'"
        ) from error

    # Names of hosts are up to Ray's proxies, which listen on any address.
    replica = replace(settings, host="0.0.0.0", tls_certificate=None, tls_key=None)

    def make_app() -> Any:
        from yinzi.serve.app import create_app

        return create_app(replica)

    deployment: Any = serve.deployment(
        serve.ingress(make_app)(),
        name="yinzi",
        num_replicas=n_replicas,
        max_ongoing_requests=_MAX_ONGOING,
        ray_actor_options={"num_cpus": n_cpus},
        graceful_shutdown_timeout_s=settings.shutdown_timeout,
    )
    application: Application = deployment.bind()
    return application


def build(arguments: dict[str, str]) -> Application:
    """Return the application for `serve run` and `serve deploy`.

    Args:
        arguments: `n_replicas`, `n_cpus`, `config` (a TOML file of settings), `keys`, `artifact`,
            `insecure` ("true").
    """
    known = {"n_replicas", "n_cpus", "config", "keys", "artifact", "insecure"}
    unknown = sorted(set(arguments) - known)
    if unknown:
        raise ConfigError(f"unknown arguments {unknown}: expected some of {sorted(known)}")
    settings = Settings.from_file(arguments["config"]) if "config" in arguments else Settings()
    settings = settings.updated(
        {
            "keys_path": arguments.get("keys"),
            "artifact": arguments.get("artifact"),
            "is_insecure": True if arguments.get("insecure") == "true" else None,
        }
    )
    return build_application(
        settings,
        n_replicas=int(arguments.get("n_replicas", "1")),
        n_cpus=float(arguments.get("n_cpus", str(_CPUS_A_REPLICA))),
    )
