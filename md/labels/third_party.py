"""Silence around third-party code that prints, warns or sets global state while it loads or evaluates."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_UNSAFE_TORCH_SWITCH = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


@contextmanager
def silent_loading() -> Iterator[None]:
    """Load a third-party library or model without its prints, warnings, log lines and global side effects.

    mace sets an environment variable that makes every later `torch.load` run code from data, and logs through
    the root logger, which installs a handler there; both are undone on the way out.
    """
    root, switch = logging.getLogger(), os.environ.get(_UNSAFE_TORCH_SWITCH)
    handlers, disabled = root.handlers[:], logging.root.manager.disable
    try:
        logging.disable(logging.WARNING)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        if switch is None:
            os.environ.pop(_UNSAFE_TORCH_SWITCH, None)


@contextmanager
def silent_evaluation() -> Iterator[None]:
    """Evaluate a third-party model without its warnings (torch deprecations inside chgnet, mace and e3nn)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def one_torch_thread(*, wanted: bool) -> Iterator[None]:
    """Run torch on one thread inside the block when `wanted`, so that sums come out the same everywhere."""
    if not wanted:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
