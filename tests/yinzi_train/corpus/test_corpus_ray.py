"""The same rows and the same errors from Ray with two local workers as from the local executor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from yinzi_train.corpus.build import run_corpus
from yinzi_train.corpus.errors import CorpusError
from yinzi_train.corpus.options import CorpusOptions

pytestmark = pytest.mark.filterwarnings("ignore")


def test_ray_gives_the_same_shards_as_the_local_executor(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    texts = tmp_path / "texts"
    texts.mkdir()
    for name in ("chat__a", "news__b"):
        made = [f"{name[:4]}第{at}天，我们一起去买飞机票！好吗？" for at in range(200)]
        (texts / f"{name}.txt").write_text("\n".join([*made, *made[:9]]), encoding="utf-8")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        local = run_corpus([texts], tmp_path / "local", workers=1)
        far = run_corpus([texts], tmp_path / "ray", executor="ray", workers=2)
        for shard, other in zip(local.shards, far.shards, strict=True):
            assert shard.path.read_bytes() == other.path.read_bytes()
        records = [
            json.loads((tmp_path / name / "corpus.json").read_text(encoding="utf-8"))
            for name in ("local", "ray")
        ]
        assert records[0] == records[1]
        (texts / "bad.csv").write_text("id\n1\n", encoding="utf-8")
        with pytest.raises(CorpusError, match=r"'bad\.csv': no column 'text'"):
            run_corpus([texts / "bad.csv"], tmp_path / "bad", CorpusOptions(), executor="ray")
    finally:
        ray.shutdown()
