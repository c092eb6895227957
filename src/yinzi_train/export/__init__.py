"""Write artifacts, the only thing that the runtime reads."""

from __future__ import annotations

from yinzi_train.export.writer import update_manifest, write_artifact

__all__ = ["update_manifest", "write_artifact"]
