"""The ASE face of an `Evaluator`."""

from __future__ import annotations
