"""The command that distils: a student refined on a few labels, and what it refuses."""

import json

from tests.support.places import HOSTS


def test_refine_says_what_changed(call, monkeypatch, tmp_path):
    monkeypatch.setenv("DEFECTGEN_STUDENTS", str(tmp_path / "students"))
    asked = ["distill", HOSTS / "Cu.cif", "--teacher", "emt", "--labels", 12, "--max-atoms", 4, "--training-steps", 40]
    asked += ["--max-temperature", 400, "--workers", 1, "--name", "mace-cu-new", "-o"]
    code, out, _ = call(*asked, tmp_path / "out", "--refine", "mace-cu-al-ni")
    assert code == 0
    assert "errors on held-out cells" in out
    assert "bulk modulus" in out
    assert "registered as mace-cu-new" in out
    card = json.loads((tmp_path / "students" / "cu-new" / "card.json").read_text())
    assert card["training"]["labels"] == 12
    assert card["refined_from"]["name"] == "mace-cu-al-ni"
    code, _, err = call(*asked, tmp_path / "no", "--refine", "emt")
    assert code == 2
    assert "no student is called 'emt'" in err
    code, _, err = call(*asked, tmp_path / "no", "--refine", "mace-cu-al-ni", "--dopant", "Al")
    assert code == 2
    assert "name its crystals as hosts" in err
    assert not (tmp_path / "no").exists()
