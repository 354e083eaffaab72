"""The lines of Python in the README run as they stand, on a smaller cell."""

from __future__ import annotations

import re

from tests.support.places import HOSTS, ROOT


def test_the_lines_of_the_readme_run(tmp_path, monkeypatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 1
    smaller = blocks[0]
    for there, here in (
        ("examples/hosts", str(HOSTS)),
        ("min_image_distance=8", "min_image_distance=5"),
        ("n=4", "n=1"),
        ("steps=200", "steps=20"),
    ):
        assert there in smaller
        smaller = smaller.replace(there, here)
    monkeypatch.chdir(tmp_path)
    values: dict[str, object] = {}
    exec(compile(smaller, "README.md", "exec"), values)  # noqa: S102  our own lines
    assert (tmp_path / "dataset" / "train.extxyz").is_file()
    assert len(values["hot"]) == 2 * 2 * len(values["relaxed"])
