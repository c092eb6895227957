"""The command `yinzi inspect`: what an artifact is, holds and was built from."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from yinzi.cli.running import DebugOption

if TYPE_CHECKING:
    from rich.table import Table

    from yinzi.artifact import Manifest

__all__ = ["EXAMPLES", "inspect"]

EXAMPLES = """Example:

$ yinzi inspect base --verify"""


def inspect(
    artifact: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="Artifact to look at.")
    ] = "base",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest as JSON.", show_default=False)
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compare checksums too, not only sizes.", show_default=False),
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Show an artifact's files, sizes, sources with their licences, and metrics."""
    from yinzi.artifact import Artifact  # loads numpy, which `--help` does not need

    opened = Artifact.open(artifact, verify=verify)
    manifest = opened.manifest
    if as_json:
        print(json.dumps(manifest.to_dict(), ensure_ascii=False))
        return
    print_manifest(manifest, folder=str(opened.folder), is_verified=verify)


def print_manifest(manifest: Manifest, *, folder: str, is_verified: bool) -> None:
    """Print a manifest as tables."""
    from rich.console import Console
    from rich.table import Table

    # Not a terminal: keep rows whole instead of folding them at 80 columns.
    console = Console(
        file=sys.stdout,
        width=None if sys.stdout.isatty() else 200,
        highlight=False,
        markup=False,
    )

    def new_table(title: str, *columns: str) -> Table:
        table = Table(title=title, title_justify="left", title_style="bold")
        for column in columns:
            is_number = column in ("bytes", "share")
            table.add_column(column, justify="right" if is_number else "left", overflow="fold")
        return table

    console.print(
        f"{manifest.name} {manifest.version}, {manifest.created}, "
        f"format {manifest.format_version}, {_mebibytes(manifest.total_bytes)} in "
        f"{len(manifest.files)} files: {'checksums' if is_verified else 'sizes'} agree with the "
        "manifest"
    )
    console.print(folder)
    files = new_table("Files", "file", "bytes", "sha256")
    for path, entry in sorted(manifest.files.items()):
        files.add_row(path, f"{entry.bytes:,}", f"{entry.sha256[:16]}…")
    files.add_section()
    for section, size in manifest.section_bytes().items():
        files.add_row(section, f"{size:,}", _mebibytes(size))
    console.print(files)
    for title, values in (
        ("Parameters", manifest.parameters),
        ("Metrics", manifest.metrics),
        ("Training", manifest.training),
    ):
        table = new_table(title, "key", "value")
        for key, value in _flatten(values):
            table.add_row(key, value)
        if table.row_count:
            console.print(table)
    sources = new_table("Sources", "file", "source", "licence", "share", "use")
    for source in manifest.sources:
        share = "" if source.share is None else f"{source.share:g}"
        sources.add_row(source.file, source.source, source.licence, share, source.use)
    if sources.row_count:
        console.print(sources)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted keys and values of nested sections, in their order."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
