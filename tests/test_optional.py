"""A missing package skips what needs it, and fails it where every oracle must run."""

from __future__ import annotations

import pytest

from tests.support.optional import REQUIRED, optional


def test_a_missing_package_skips_or_fails(monkeypatch) -> None:
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no_such_package is not installed"):
        optional("no_such_package")
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(ModuleNotFoundError):
        optional("no_such_package")


@pytest.mark.parametrize("required", ["0", "1"])
def test_an_installed_package_is_imported(required, monkeypatch) -> None:
    monkeypatch.setenv(REQUIRED, required)
    assert optional("json.decoder").JSONDecoder
