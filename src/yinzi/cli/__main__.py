"""Run the command line as `python -m yinzi.cli`, for places without the `yinzi` script."""

from __future__ import annotations

from yinzi.cli.main import main

main()
