"""The command line called in this process."""

import sys

import pytest

from defectgen.cli import main


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command; returns exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["defectgen", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return run
