"""The command line as a user meets it: JSON lines, tables, and one clear line with exit code 2 for bad input."""

import importlib
import json
import re
from importlib.metadata import version

import pytest

from tests.support.places import HOSTS

MGO = HOSTS / "MgO.cif"
FIELDS = {
    "name", "key", "type", "element", "wyckoff", "site_symmetry", "point_group", "multiplicity", "degeneracy",
    "charges", "supercell",
}  # fmt: skip


def test_defects_prints_one_json_object_a_line(call):
    code, out, _ = call("defects", MGO, "--dopant", "Al", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert all(set(row) >= FIELDS for row in rows)
    kinds = [row["type"] for row in rows]
    assert {k: kinds.count(k) for k in set(kinds)} == {
        "vacancy": 2,
        "antisite": 2,
        "substitution": 2,
        "interstitial": 3,
    }
    assert len({row["key"] for row in rows}) == len(rows)


def test_defects_prints_a_table(call):
    code, out, _ = call("defects", MGO)
    assert code == 0
    assert "v_O" in out
    assert "all of the host's point group" in out


def test_a_supercell_that_is_asked_for_is_made(call):
    _, out, _ = call("defects", MGO, "--json", "--min-image-distance", 11)
    supercell = json.loads(out.splitlines()[0])["supercell"]
    assert supercell["image_distance"] >= 11
    assert supercell["point_group_order"] == supercell["host_point_group_order"] == 48


def test_init_writes_settings_that_run_reads_and_never_overwrites(call, tmp_path):
    path = tmp_path / "settings.yaml"
    assert call("init", path, "--host", MGO)[0] == 0
    before = path.read_text(encoding="utf-8")
    code, _, err = call("init", path)
    assert code == 2
    assert "exists already" in err
    assert path.read_text(encoding="utf-8") == before


BAD_CIFS = {
    "no such file": None,
    "not a CIF": "hello",
    "occupancy": re.sub(r"(?m)^(_chemical_formula|_cell_formula).*\n", "", MGO.read_text(encoding="utf-8"))
    .replace("  1.0", "  0.5")
    .replace(" 1\n", " 0.5\n"),
    "its formula and Z = 4 say Mg16 O16": MGO.read_text(encoding="utf-8").replace(" 1\n", " 0.5\n"),
}


@pytest.mark.parametrize("command", ["defects", "run"])
@pytest.mark.parametrize("words", BAD_CIFS)
def test_a_bad_host_gets_one_line_and_nothing_is_written(call, tmp_path, command, words):
    host = tmp_path / "bad.cif"
    if BAD_CIFS[words] is not None:
        host.write_text(BAD_CIFS[words], encoding="utf-8")
    out = tmp_path / "out"
    code, _, err = call(command, host, "-o", out)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dopant", "Xx"], "'Xx' is not an element"),
        (["--dopant", "Mg"], "an element of the host"),
        (["--dopant", "Al", "--potential", "emt"], "does not cover"),
        (["--potential", "nonesuch"], "no potential named"),
        (["--min-image-distance", "-1"], "defects.min_image_distance"),
        (["--min-image-distance", "50"], "no supercell"),
    ],
)
def test_an_impossible_request_gets_one_line_and_nothing_is_written(call, tmp_path, arguments, words):
    out = tmp_path / "out"
    code, _, err = call("run", MGO, "-o", out, *arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("md: {temperatures: [0]}", "temperature of 0.0 K"),
        ("md: {temperatures: [-300]}", "temperature of -300.0 K"),
        ("md: {stepz: 1}", "did you mean md.steps"),
        ("potential: {name: emt}", "does not cover"),
        ("generate: {only: [v_Xe]}", "no defect named v_Xe"),
        ("generate: {model: nowhere}", "nowhere"),
        ("generate: {subgroups: [6mm]}", "'6mm' is no subgroup"),
    ],
)
def test_impossible_settings_get_one_line_and_nothing_is_written(call, tmp_path, text, words):
    path, out = tmp_path / "settings.yaml", tmp_path / "out"
    path.write_text(f"host: {MGO}\noutput: {out}\n{text}\n", encoding="utf-8")
    code, _, err = call("run", path)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_a_folder_of_another_run_is_left_alone(call, tmp_path):
    assert call("defects", MGO, "-o", tmp_path / "run")[0] == 0
    code, _, err = call("defects", HOSTS / "Si.cif", "-o", tmp_path / "run")
    assert code == 2
    assert "another host" in err


def test_an_impossible_temperature_replaces_nothing(call, tmp_path):
    call("defects", MGO, "-o", tmp_path / "run")
    kept = tmp_path / "run" / "md" / "summary.jsonl"
    kept.parent.mkdir()
    kept.write_text("{}", encoding="utf-8")
    code, _, err = call("md", tmp_path / "run", "--temperature=-5", "--overwrite")
    assert code == 2
    assert "temperature of -5.0 K" in err
    assert kept.exists()


def test_a_stage_out_of_order_says_what_to_run(call, tmp_path):
    call("defects", MGO, "-o", tmp_path / "run")
    code, _, err = call("relax", tmp_path / "run")
    assert code == 2
    assert "defectgen generate" in err


def test_how_complexes_are_drawn_needs_how_many(call, tmp_path):
    code, _, err = call("generate", MGO, "--complex", "v_O", "--weight", "pairs", "-o", tmp_path / "run")
    assert code == 2
    assert "--propose" in err
    assert not (tmp_path / "run").exists()


def test_an_interrupt_is_one_line_that_says_how_to_go_on(call, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    # By its name in a string the command `doctor` would be found, or the module, whichever was imported last.
    monkeypatch.setattr(importlib.import_module("defectgen.cli.commands.doctor"), "diagnose", interrupted)
    code, out, err = call("doctor")
    assert (code, out) == (130, "")
    assert err == "defectgen: stopped; the same command goes on from here\n"


def test_the_version_and_the_commands_in_the_order_of_a_run(call):
    assert call("--version") == (0, f"defectgen {version('defectgen')}\n", "")
    code, out, _ = call("--help")
    assert code == 0
    places = [out.index(f"│ {name} ") for name in ("run", "defects", "generate", "relax", "md", "export", "report")]
    assert places == sorted(places)
    assert call()[0] == 2
