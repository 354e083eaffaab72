"""How much memory an evaluation may still take: the machine's, or the control group's where that is less."""

from __future__ import annotations

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")
_KIB = 1024


def available_memory() -> int | None:
    """Bytes that this process can still take without swapping; None where the system does not say."""
    limits = [limit for limit in (_machine(), _control_group()) if limit is not None]
    return min(limits, default=None)


def _machine() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * _KIB for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def _control_group() -> int | None:
    """What is left of the limit of the control group; its page cache counts as free, since it is given back."""
    try:
        limit = (_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_GROUP / "memory.current").read_text(encoding="ascii"))
        statistics = (_GROUP / "memory.stat").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    if not limit.isdigit():
        return None
    cache = int(statistics[statistics.index("inactive_file") + 1]) if "inactive_file" in statistics else 0
    return max(int(limit) - used + cache, 0)
