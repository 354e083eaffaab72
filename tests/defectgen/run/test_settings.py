"""Settings: what `init` writes is what `run` reads, and a wrong key or value is named."""

from pathlib import Path

import pytest
import yaml

from augment.errors import SettingsError
from defectgen.run.settings import Settings, differences, read_settings, to_yaml, validated

BASE = {"host": "MgO.cif"}


def test_the_commented_yaml_reads_back_as_the_same_settings(tmp_path):
    settings = validated({**BASE, "defects": {"dopants": ["Al", "Ni"]}, "md": {"temperatures": [77.5]}}, "test")
    path = tmp_path / "settings.yaml"
    path.write_text(to_yaml(settings), encoding="utf-8")
    assert read_settings(path) == settings


def test_the_commented_yaml_names_and_explains_every_setting():
    text = to_yaml(Settings(host=Path("MgO.cif")))
    values = yaml.safe_load(text)
    assert set(values) == set(Settings.model_fields)
    lines = [line for line in text.splitlines() if ":" in line and not line.startswith("#") and not line.endswith(":")]
    assert all("  # " in line for line in lines)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({**BASE, "md": {"step": 10}}, "unknown key md.step; did you mean md.steps?"),
        ({**BASE, "colour": 1}, "unknown key colour"),
        ({}, "host is missing"),
        ({**BASE, "md": {"timestep": -1}}, "md.timestep = -1"),
        ({**BASE, "md": {"engines": ["gromacs"]}}, "md.engines = 'gromacs'"),
    ],
)
def test_a_wrong_key_or_value_is_named(values, words):
    with pytest.raises(SettingsError, match="^here: ") as error:
        validated(values, "here")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "", "\x00"])
def test_a_file_that_holds_no_settings_is_refused(tmp_path, text):
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="settings.yaml"):
        read_settings(path)


def test_yaml_cannot_run_code(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("host: !!python/object/apply:os.system ['true']", encoding="utf-8")
    with pytest.raises(SettingsError):
        read_settings(path)


def test_settings_differ_only_where_it_matters():
    one = validated({**BASE, "workers": 1, "output": "a"}, "test")
    assert differences(one, validated({**BASE, "workers": 8, "output": "b"}, "test")) == []
    assert differences(one, validated({**BASE, "seed": 1}, "test")) == ["seed (0 there, 1 here)"]
    other = validated({**BASE, "defects": {"dopants": ["Al", "Ni"]}}, "test")
    assert differences(one, other) == ["defects.dopants ([] there, [Al, Ni] here)"]


def test_a_number_is_the_same_in_a_file_and_as_text_of_the_command_line():
    one = validated({**BASE, "md": {"temperatures": [300, 900.0], "pressures": [0]}}, "test")
    texts = {"md.temperatures": ["300", "900"], "md.pressures": ["0"]}
    assert differences(one, one.replaced(texts)) == []
    assert one.replaced({"md.temperatures": ["ramp(300,900,5ps)"]}).md.temperatures == ("ramp(300,900,5ps)",)


def test_changes_by_dotted_name_are_validated():
    settings = Settings(host=Path("MgO.cif"))
    assert settings.replaced({"md.steps": 7, "seed": None}).md.steps == 7
    with pytest.raises(SettingsError, match="relax.fmax"):
        settings.replaced({"relax.fmax": -1})
