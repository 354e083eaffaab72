"""A CIF damaged at random gives a structure or one CifError, soon, and never another exception or a warning."""

from __future__ import annotations

import resource
import signal

import numpy as np
import pytest

from augment.crystal.cif import read_structure
from augment.errors import CifError
from tests.support.places import HOSTS

TEXTS = [path.read_bytes() for path in sorted(HOSTS.glob("*.cif"))]
TOKENS = (
    b"?",
    b".",
    b"nan",
    b"inf",
    b"-1",
    b"1e99",
    b"'",
    b"loop_",
    b"0",
    b"abc",
    b"1/3",
    b"#",
    b";",
    b"9" * 30,
    b"data_y",
)


MAX_MEMORY = 1_000_000
"""kB, of the whole process."""

MAX_SECONDS = 5.0
"""Of a core, for one file, however busy the machine is."""


def truncated(text, rng):
    return text[: rng.integers(len(text))]


def with_flipped_bytes(text, rng):
    flipped = bytearray(text)
    for place in rng.integers(len(text), size=rng.integers(1, 6)):
        flipped[place] = rng.integers(256)
    return bytes(flipped)


def without_some_lines(text, rng):
    lines = text.split(b"\n")
    gone = set(rng.integers(len(lines), size=3).tolist())
    return b"\n".join(line for k, line in enumerate(lines) if k not in gone)


def with_lines_swapped(text, rng):
    lines = text.split(b"\n")
    i, j = rng.integers(len(lines), size=2)
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def with_a_line_repeated(text, rng):
    lines = text.split(b"\n")
    lines.insert(rng.integers(len(lines)), lines[rng.integers(len(lines))])
    return b"\n".join(lines)


def with_a_strange_word(text, rng):
    lines = text.split(b"\n")
    place = rng.integers(len(lines))
    words = lines[place].split() or [b""]
    words[rng.integers(len(words))] = TOKENS[rng.integers(len(TOKENS))]
    lines[place] = b" ".join(words)
    return b"\n".join(lines)


DAMAGES = (
    truncated,
    with_flipped_bytes,
    without_some_lines,
    with_lines_swapped,
    with_a_line_repeated,
    with_a_strange_word,
)


def read_many(path, seed: int, count: int) -> list[str]:
    """Outcome of each damaged file; a timer ends what takes too long."""

    def too_long(*_) -> None:
        raise TimeoutError

    rng, outcomes = np.random.default_rng(seed), []
    previous = signal.signal(signal.SIGPROF, too_long)
    try:
        for _ in range(count):
            path.write_bytes(DAMAGES[rng.integers(len(DAMAGES))](TEXTS[rng.integers(len(TEXTS))], rng))
            signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
            try:
                structure = read_structure(path)
                assert len(structure) > 0
                outcomes.append("structure")
            except CifError as error:
                outcomes.append("refused" if str(error).startswith(str(path)) else str(error))
            signal.setitimer(signal.ITIMER_PROF, 0)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
    return outcomes


def test_two_hundred_damaged_files(tmp_path) -> None:
    outcomes = read_many(tmp_path / "host.cif", seed=1, count=200)
    assert {"structure", "refused"} == set(outcomes), "some damage is harmless, some is not"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_a_hundred_thousand_damaged_files(tmp_path, seed) -> None:
    assert {"structure", "refused"} == set(read_many(tmp_path / "host.cif", seed=seed, count=5000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MAX_MEMORY


def test_the_timer_ends_what_takes_too_long(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tests.properties.test_damaged_cifs.MAX_SECONDS", 0.05)

    def endless(_path):
        while True:
            pass

    monkeypatch.setattr("tests.properties.test_damaged_cifs.read_structure", endless)
    with pytest.raises(TimeoutError):
        read_many(tmp_path / "host.cif", seed=1, count=1)
