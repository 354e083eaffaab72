"""Formats that trainers read: each is written frame by frame from the one stream of a dataset."""

from defectgen.dataset.formats.writer import Contents, Writer, open_writers, opener

__all__ = ["Contents", "Writer", "open_writers", "opener"]
