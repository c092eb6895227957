"""Run `yinzi-train` as a module, which is how torchrun starts it."""

from __future__ import annotations

from yinzi_train.cli.main import main

main()
