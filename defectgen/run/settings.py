"""Settings of a run: one typed source of names, defaults, limits and their descriptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from augment.errors import SettingsError
from augment.storage.missing import nearest_name, no_such_file
from augment.supercells.search import DEFAULT_IMAGE_DISTANCE
from defectgen.dataset.settings import DatasetSettings, misfit
from defectgen.run.stage_settings import (
    GenerateSettings,
    RelaxStageSettings,
    SearchStageSettings,
    SettingsSection,
    ThermoStageSettings,
)
from md.conditions.environment import IN_PLANE, Ensemble
from md.conditions.point import Engine, PointStart
from md.conditions.precision import ENERGY_PRECISION, MAX_ENERGY_ERROR, MAX_PRECISE_STEPS, VOLUME_PRECISION
from md.potentials.device import Device

NumberFirst = Annotated[float | str, Field(union_mode="left_to_right")]
"""A number wherever a text reads as one, so that 300 means the same in a file and on the command line."""

PointDefectKind = Literal["vacancy", "antisite", "substitution", "interstitial"]


AUTO_BUDGET, NO_BUDGET = "auto", "none"


class ComplexSettings(SettingsSection):
    """Complexes of several edits; none without names."""

    names: tuple[str, ...] = Field((), description="kinds of edit to combine, e.g. [v_O, Fe_Ti, O_i]")
    min_size: int = Field(1, ge=1, le=64, description="fewest edits in a complex")
    size: int = Field(2, ge=1, le=64, description="most edits in a complex")
    neutral: bool = Field(default=False, description="only complexes whose formal charges can sum to zero")
    sample: int | None = Field(
        None, ge=1, le=1_000_000, description="draw so many at random, of the largest size; null enumerates"
    )
    weight: Literal["orbit", "degeneracy", "model", "pairs"] = Field(
        "orbit",
        description="draw every distinct complex alike, as often as it has copies, or low ones: by the model, or by "
        "the energies of all pairs in the potential",
    )


class PlanarSettings(SettingsSection):
    """A layer, or a surface, stacking fault or grain boundary of the host to put the defects into."""

    layer: Literal["auto", "bulk"] = Field(
        "auto", description="auto: a CIF with 6 Å of vacuum or more in one direction is a layer; bulk: it never is"
    )
    slab: tuple[int, ...] | None = Field(
        None,
        min_length=3,
        max_length=3,
        description="the CIF is a layer or slab: the normal of its plane in its cell, [0, 0, 1]; null: `layer` decides",
    )
    surface: tuple[int, ...] | None = Field(
        None, min_length=3, max_length=4, description="Miller indices of a free surface, [1, 1, 0]"
    )
    thickness: float = Field(10.0, gt=0, le=1000, description="least thickness of the slab, Å")
    vacuum: float = Field(15.0, gt=0, le=1000, description="above the slab, Å")
    symmetric: bool = Field(default=False, description="slabs with two equivalent sides, whatever their formula")
    termination: int = Field(0, ge=0, description="which of the distinct ends, from 0, non-polar ones first")
    fault: tuple[int, ...] | None = Field(
        None, min_length=3, max_length=4, description="Miller indices of the plane of a stacking fault, [1, 1, 1]"
    )
    vector: tuple[float | str, ...] | None = Field(
        None, description="fault vector in the conventional cell, [1/6, 1/6, -1/3]"
    )
    cut: int = Field(0, ge=0, description="between which layers the fault lies: 0, 1, ...")
    grain_boundary: int | None = Field(None, ge=1, description="Σ of a coincidence-site grain boundary, 5")
    axis: tuple[int, ...] = Field((0, 0, 1), min_length=3, max_length=3, description="rotation axis of the grains")
    plane: tuple[int, ...] | None = Field(
        None, min_length=3, max_length=4, description="Miller indices of the boundary, [3, 1, 0]"
    )
    shift: tuple[float | str, ...] = Field((0.0, 0.0), description="of one grain along the plane, in edges of its cell")
    separation: float = Field(15.0, gt=0, le=1000, description="least distance between faults or boundaries, Å")

    @property
    def kinds(self) -> list[str]:
        """The planes requested; not more than one is possible."""
        return [name for name in ("slab", "surface", "fault", "grain_boundary") if getattr(self, name) is not None]


class DefectSettings(SettingsSection):
    """Which defects, and in what supercell."""

    dopants: tuple[str, ...] = Field(
        (), description="elements to substitute on every site and to insert, e.g. [Al, Ni]"
    )
    kinds: tuple[PointDefectKind, ...] = Field(get_args(PointDefectKind), description="kinds of point defect to make")
    sets: tuple[str, ...] = Field(
        (), description="frenkel, schottky, dopant-vacancy, split-vacancy, split-interstitial; one element as frenkel:O"
    )
    cutoff: float | None = Field(
        None, gt=0, le=60, description="largest distance between two edits of a set or complex, Å; null for any"
    )
    limit: int | None = Field(None, ge=1, description="make only the first so many defects; null for all")
    supercell: tuple[int, ...] | None = Field(
        None, min_length=9, max_length=9, description="nine integers, rows, on the conventional cell; null searches"
    )
    min_image_distance: float = Field(
        DEFAULT_IMAGE_DISTANCE, gt=0, le=60, description="least distance between a defect and its image, Å"
    )
    max_atoms: int = Field(400, ge=1, le=20_000, description="most atoms in the supercell")
    keep_point_group: bool = Field(default=True, description="search only supercells that keep the host's point group")
    max_voids: int | None = Field(None, ge=0, description="interstitial sites to fill, widest first; null for all")


class PotentialSettings(SettingsSection):
    """What gives energies and forces."""

    name: str = Field(
        "auto",
        description="auto, a name that `defectgen potentials` lists (those you added among them), the path of a MACE "
        ".model, 'lammps:STYLE FILE', or module:Class of an ASE calculator",
    )
    trust: bool = Field(
        default=False,
        description="a .model file, and module:Class, can run any code: true only if you know who made it",
    )
    dispersion: str | None = Field(
        None,
        pattern=r"^(d3bj|d4)(:[\w-]+)?$",
        description="d3bj or d4: dispersion on top, for the functional that the potential imitates, or for the one "
        "named as in d3bj:pbe; null for none",
    )
    device: Device = Field(
        "auto", description="of MACE networks: cpu, cuda (many cells at once), or auto: cuda where there is one"
    )

    @property
    def spec(self) -> str:
        """Name and dispersion, as `resolve_potential` takes them."""
        return f"{self.name}+{self.dispersion}" if self.dispersion else self.name


class MdSettings(SettingsSection):
    """Dynamics of relaxed cells on a grid of temperatures and pressures."""

    engines: tuple[Engine, ...] = Field(
        ("lammps",),
        min_length=1,
        description="ase, lammps or batched (MACE models, many points at once); each runs the whole grid, the first "
        "makes the data and others check it",
    )
    check: Engine | None = Field(
        "ase",
        description="a second engine that runs the first point of the first cell with another seed, as a check and "
        "never as data; null for none",
    )
    ensemble: Ensemble | None = Field(
        None,
        description="nve, nvt, npt, npt-aniso, npt-full, or npt-plane (in the plane of a layer); null: npt, and nvt "
        "in a cell with vacuum",
    )
    temperatures: tuple[NumberFirst, ...] = Field(
        (300.0, 900.0), min_length=1, description='K; or schedules, "ramp(300,900,5ps)+quench(300)"'
    )
    pressures: tuple[NumberFirst, ...] | None = Field(
        None,
        min_length=1,
        description="GPa; or schedules, or six components xx/yy/zz/yz/xz/xy; null: 0 and 10 in npt ensembles, else 0",
    )
    tensions: tuple[NumberFirst, ...] | None = Field(
        None,
        min_length=1,
        description="N/m, of a layer in npt-plane, positive where it is pulled; or schedules; null: 0",
    )
    strain: str | None = Field(None, description="AXIS:RATE in 1/ps, a:0.001; with npt-aniso, nvt or nve")
    steps: int | None = Field(
        None, ge=1, le=100_000_000, description="exactly so many steps per point; null: as many as the precision takes"
    )
    precision: float = Field(
        VOLUME_PRECISION,
        gt=0,
        lt=1,
        description="without steps: relative error of the volume at which a point ends",
    )
    energy_precision: float = Field(
        ENERGY_PRECISION, gt=0, le=MAX_ENERGY_ERROR, description="the same of the energy, eV per atom"
    )
    max_steps: int = Field(
        MAX_PRECISE_STEPS, ge=1, le=100_000_000, description="steps after which a point ends in any case"
    )
    start: PointStart = Field(
        "warm",
        description="warm: a point under a barostat starts from the volume of the crystal at its temperature and "
        "pressure, which short runs at constant volume find; cell: from the relaxed cell",
    )
    timestep: float | None = Field(
        None, gt=0, le=10, description="fs; null: by the lightest atom, 0.5 with H, 1 up to F, 2 above"
    )
    sample: int = Field(10, ge=1, description="steps between stored frames")
    max_cells: int | None = Field(
        3, ge=0, description="probe the pristine cell and the first relaxed defects; null for all"
    )

    @field_validator("check", "steps", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        """`none` as the command line says it."""
        return None if value == "none" else value

    @model_validator(mode="before")
    @classmethod
    def _without_barostat(cls, values: Any) -> Any:
        """No pressure where none is held and none was given: the default is for barostats."""
        if (
            isinstance(values, dict)
            and "pressures" not in values
            and values.get("ensemble") in {"nve", "nvt", IN_PLANE}
        ):
            return {**values, "pressures": [0.0]}
        return values


class Settings(SettingsSection):
    """Everything that `defectgen run` needs."""

    host: Path = Field(description="CIF of the host crystal")
    host_block: str | None = Field(None, description="data block of the CIF, where it holds several crystals")
    output: Path = Field(Path("out"), description="folder of the run")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="one seed for everything random")
    budget: str = Field(
        AUTO_BUDGET,
        description="time that a run may take: 10min, 2h; less is done where it would take longer, and said. auto: ten "
        "minutes on two cores, by nominal costs of the potentials that have some; none: any time",
    )
    workers: int = Field(2, ge=1, le=256, description="processes; results do not depend on it")
    potential: PotentialSettings = PotentialSettings()
    planar: PlanarSettings = PlanarSettings()
    defects: DefectSettings = DefectSettings()
    complexes: ComplexSettings = ComplexSettings()
    generate: GenerateSettings = GenerateSettings()
    relax: RelaxStageSettings = RelaxStageSettings()
    md: MdSettings = MdSettings()
    search: SearchStageSettings = SearchStageSettings()
    thermo: ThermoStageSettings = ThermoStageSettings()
    export: DatasetSettings = DatasetSettings()

    @field_validator("budget", mode="before")
    @classmethod
    def _no_budget(cls, value: object) -> object:
        """`null` means none too."""
        return NO_BUDGET if value is None else value

    def replaced(self, changes: dict[str, Any]) -> Settings:
        """These settings with some changed; keys are dotted names (`md.steps`), None leaves a value alone.

        Raises:
            SettingsError: a name or a value does not fit.
        """
        values = self.model_dump()
        for name, value in changes.items():
            if value is not None:
                *sections, last = name.split(".")
                target = values
                for section in sections:
                    target = target[section]
                target[last] = value
        return validated(values, "command line")


def validated(values: dict[str, Any], where: str) -> Settings:
    """Settings from plain values.

    Raises:
        SettingsError: names the first key that is unknown or does not fit.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{where}: {_explain(error)}") from None


def read_settings(path: Path) -> Settings:
    """Settings of a YAML file.

    Raises:
        SettingsError: the file is missing, is no YAML mapping, or a key is unknown or does not fit.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: {no_such_file(path, f'`defectgen init {path}` writes one')}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: not readable as YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: holds no settings; `defectgen init FILE` writes a commented example")
    return validated(values, str(path))


def to_yaml(settings: Settings) -> str:
    """Commented YAML of every setting."""
    lines = ["# Settings of defectgen; every value not given takes the default shown by `defectgen init`.", ""]
    for name, info in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            lines += ["", f"# {type(value).__doc__}", f"{name}:"]
            lines += [f"  {_line(k, getattr(value, k), f.description)}" for k, f in type(value).model_fields.items()]
        else:
            lines.append(_line(name, value, info.description))
    return "\n".join(lines) + "\n"


def _line(name: str, value: object, description: str | None) -> str:
    return f"{f'{name}: {_text(value)}':<44}  # {description}"


def _text(value: object) -> str:
    """A value in YAML, on one line."""
    plain = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(plain, default_flow_style=True, width=10_000).strip().removesuffix("...").strip()


def differences(one: Settings, other: Settings) -> list[str]:
    """Names of the settings that differ and matter to the results, with both values.

    Labels of proposals are beside the results: they can be requested when all else is done.
    """
    ignored: dict[str, Any] = {"host": True, "output": True, "workers": True, "budget": True, "generate": {"label"}}
    a, b = (_flat(s.model_dump(exclude=ignored)) for s in (one, other))
    return [f"{name} ({_text(a[name])} there, {_text(b[name])} here)" for name in a if a[name] != b[name]]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _explain(error: ValidationError) -> str:
    """The first problem in one line."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    if first["type"] == "extra_forbidden":
        close = nearest_name(name, _flat_names(), 0.5)  # a part of a long name is enough
        hint = f"; did you mean {close}?" if close else "; `defectgen init` lists every key"
        return f"unknown key {name}{hint}"
    if first["type"] == "missing":
        return f"{name} is missing; give it"
    return f"{name} = {misfit(first)}"


def _flat_names() -> list[str]:
    return list(_flat(Settings(host=Path("host.cif")).model_dump()))
