"""Potentials of these tests."""

import pytest

from md.potentials import Potential, resolve_potential


@pytest.fixture(scope="session")
def emt() -> Potential:
    return resolve_potential("emt")
