"""Build the corpus `training/corpus/` from `training/prototypes.csv.gz`; run it again to go on where it stopped.

    OMP_NUM_THREADS=1 python training/build_corpus.py FOLDER [--minutes 300] [--workers 2] [--hosts 0] [--teacher NAME]

FOLDER keeps one item a host. After so many minutes no further round of hosts is begun, and the shards are written from
what there is; `--output` puts them elsewhere.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from defectgen.corpus import CorpusPlan, build_corpus, read_hosts, write_corpus
from md.potentials.chgnet.weights import DEFAULT as TEACHER

HERE = Path(__file__).parent


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="one item a host is kept here")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no further hosts after this")
    parser.add_argument("--workers", type=int, default=2, help="processes; the labels do not depend on it")
    parser.add_argument("--hosts", type=int, default=None, help="the first so many hosts of the table only")
    parser.add_argument("--teacher", default=TEACHER, help="potential that makes the labels")
    parser.add_argument("--table", type=Path, default=HERE / "prototypes.csv.gz", help="the hosts")
    parser.add_argument("--output", type=Path, default=HERE / "corpus", help="folder of the shards")
    return parser.parse_args()


def main() -> None:
    """Label the hosts, then write the shards and their manifest."""
    asked, start = arguments(), time.monotonic()

    def progress(done: int, total: int, text: str) -> None:
        print(f"[{time.monotonic() - start:7.0f} s] {done}/{total} {text}", flush=True)

    plan = CorpusPlan(read_hosts(asked.table)[: asked.hosts], asked.teacher)
    corpus = build_corpus(plan, asked.folder, workers=asked.workers, seconds=60.0 * asked.minutes, progress=progress)
    write_corpus(asked.output, corpus)
    for row in corpus.manifest["hosts"]:
        print(f"{row['formula']:12} {row['split']:5} {row['outcome']}, {row['labels']} labels, {row['seconds']:.0f} s")
    print({name: corpus.manifest[name] for name in ("defects", "labels", "kinds", "arrangements")})


if __name__ == "__main__":
    main()
