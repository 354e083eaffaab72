"""What the rows of both databases have in common."""

from __future__ import annotations

import hashlib

from defectgen.dataset.frame import Frame


def row_name(frame: Frame, index: int) -> str:
    """The `unique_id` of a row, 32 hexadecimal digits: the same for the same frame at the same place."""
    content = frame.positions.tobytes() + frame.numbers.tobytes()
    return hashlib.blake2b(content, digest_size=16, salt=index.to_bytes(16, "little")).hexdigest()
