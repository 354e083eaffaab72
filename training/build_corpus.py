"""Build `training/corpus.npz` from `training/hosts.csv.gz`; run it again to go on where it stopped.

    OMP_NUM_THREADS=1 python training/build_corpus.py FOLDER [MINUTES]

FOLDER keeps one item a host. After MINUTES no further host is begun, and the archive is written from what there is.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from defectgen.corpus import CorpusPlan, build_corpus, read_hosts
from defectgen.corpus.build import write_corpus

HERE = Path(__file__).parent


def main() -> None:
    """Label the hosts, then write the archive and its manifest."""
    folder = Path(sys.argv[1])
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else float("inf")
    start = time.monotonic()

    def progress(done: int, total: int, text: str) -> None:
        print(f"[{time.monotonic() - start:7.0f} s] {done}/{total} {text}", flush=True)

    plan = CorpusPlan(read_hosts(HERE / "hosts.csv.gz"))
    cases, manifest = build_corpus(plan, folder, seconds=60.0 * minutes, progress=progress)
    write_corpus(HERE / "corpus.npz", cases, manifest)
    print({name: manifest[name] for name in ("defects", "labels", "kinds", "seconds")})


if __name__ == "__main__":
    main()
