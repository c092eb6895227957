"""Make the base that has not counted some texts, for `benchmarks.adaptation`.

    python -m benchmarks.adaptation_base --build build/base --out build/base-without

The language model is estimated anew from the counts that `yinzi-train build` keeps in its folder,
without those of the texts that are left out; lexicon, encoder and weights are those of the
artifact. So the lexicon and the encoder have still learned from these texts. It takes about five
minutes and 4 GB.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from yinzi.artifact import Artifact
from yinzi.errors import ConfigError
from yinzi_train.export import write_artifact
from yinzi_train.ngram.kneser_ney import KneserNeyOptions, estimate
from yinzi_train.ngram.merging import merge_shards
from yinzi_train.ngram.tables import TableBits, TableOptions, write_tables
from yinzi_train.pipeline.config import DomainWeights

WITHOUT = (
    "chat__cpsycoun",
    "law__laws",
    "medical__covid-dialogue",
    "medical__med-dialogue-toyhom",
    "names__crosswoz-db",
    "service__crosswoz",
)
"""Texts of the domains of `benchmarks.adaptation`, and others of their kind."""


def main() -> None:
    """Make the artifact."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, required=True, help="folder of yinzi-train build")
    parser.add_argument("--artifact", default="base", help="what the rest is taken from")
    parser.add_argument("--without", nargs="+", default=list(WITHOUT), help="texts left out")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new artifact")
    given = parser.parse_args()
    artifact = Artifact.open(given.artifact)
    old = artifact.manifest
    folders = sorted(path for path in (given.build / "counts").iterdir() if path.is_dir())
    unknown = set(given.without) - {path.name for path in folders}
    if unknown:
        raise ConfigError(f"no counts of {sorted(unknown)} in {str(given.build)!r}")
    taken = [path for path in folders if path.name not in given.without]
    settings = old.training["config"]
    weights = DomainWeights(**settings["weights"]).by_shard(path.name for path in folders)
    options = settings["language_model"]
    counts = merge_shards(taken, weights=weights, n_ranges=settings["counting"]["n_ranges"])
    model = estimate(counts, options=KneserNeyOptions(min_count=tuple(options["min_count"])))
    del counts
    tables = dict(options["tables"])
    for name in ("bigram", "trigram", "context"):
        tables[name] = TableBits(**tables[name])
    with tempfile.TemporaryDirectory() as work:
        written = write_tables(model, Path(work), options=TableOptions(**tables))
        sections = {path.split("/", 1)[0] for path in old.files if "/" in path}
        write_artifact(
            given.out,
            name=given.out.name,
            version=old.version,
            created=old.created,
            components={
                **{section: artifact.folder / section for section in sections},
                "language_model": Path(work),
            },
            parameters={**old.parameters, "language_model": written.parameters},
            sources=old.sources,
            training={**old.training, "without": sorted(given.without)},
        )
    print(given.out)


if __name__ == "__main__":
    main()
