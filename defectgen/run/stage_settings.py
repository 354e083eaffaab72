"""Settings of the stages that make structures, proposals, relaxations and searches, and of what energies say."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from md.conditions.environment import MAX_BATH_PRESSURE, MAX_BATH_TEMPERATURE, MIN_PRESSURE

RUN_POTENTIAL = "potential"
"""Of `generate.forces`: the potential of the run."""


class SettingsSection(BaseModel):
    """A part of the settings: what it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GenerateSettings(SettingsSection):
    """Proposals of the diffusion model."""

    only: tuple[str, ...] = Field((), description="names of the defects to generate for; empty for all")
    subgroups: tuple[str, ...] = Field(
        ("full", "1"),
        min_length=1,
        description="symmetry to keep: full (the stabilizer), 1 (none), a symbol like mm2, best or sample",
    )
    samples: int = Field(1, ge=1, le=10_000, description="proposals per defect and subgroup")
    temperature: float = Field(0.0, ge=0, le=MAX_BATH_TEMPERATURE, description="K; 0 proposes relaxed structures")
    pressure: float = Field(0.0, ge=MIN_PRESSURE, le=MAX_BATH_PRESSURE, description="GPa")
    snapshot: bool = Field(
        default=False,
        description="instantaneous frames at that temperature instead of the thermal mean; they have no symmetry, so "
        'ask for subgroups ["1"]',
    )
    steps: int = Field(20, ge=2, le=1000, description="steps of the sampler")
    model: str = Field(
        "default", description="name of the shipped weights, or the folder or .safetensors file of a trained model"
    )
    forces: str = Field(
        RUN_POTENTIAL,
        description="potential whose forces, on the way down from the ideal cell, are input features of the model: "
        "potential (that of the run), teacher (that of its corpus), none, or a name that `defectgen potentials` lists",
    )
    corrections: int = Field(1, ge=0, le=100, description="steps down that potential from each relaxed proposal")
    label: bool = Field(
        default=False, description="evaluate every proposal once with the potential of the run, for data sets"
    )


class RelaxStageSettings(SettingsSection):
    """Relaxation of the proposals in the cell of the relaxed host."""

    max_defects: int | None = Field(12, ge=0, description="relax the first so many defects; null for all")
    from_ideal: bool = Field(default=True, description="relax from the ideal geometry too, to compare")
    fmax: float = Field(0.03, gt=0, le=10, description="largest force at convergence, eV/Å")
    max_steps: int = Field(200, ge=1, le=100_000, description="most steps of a relaxation")
    path_frames: int = Field(
        8,
        ge=0,
        le=1000,
        description="geometries to keep of each path besides its end, spread evenly in energy, the start among them",
    )


class SearchStageSettings(SettingsSection):
    """Search for the low-lying minima of the defects; none without a number of evaluations."""

    evaluations: int | None = Field(
        None, ge=100, le=1_000_000, description="force evaluations for each defect, about; null: no search in a run"
    )
    only: tuple[str, ...] = Field((), description="names of the defects to search; empty for those generated for")
    window: float = Field(2.0, gt=0, le=100, description="minima within so many eV of the lowest are kept")
    keep: int = Field(8, ge=1, le=1000, description="most minima of a defect that become records")
    fmax: float = Field(0.02, gt=0, le=10, description="largest force at a minimum, eV/Å")
    use_model: bool = Field(default=True, description="let the diffusion model propose starts")
    model: str | None = Field(None, description="that proposes them, as generate.model; null: that one")
    second: tuple[str, ...] = Field((), description="potentials that every minimum is evaluated with once, to compare")
    barrier: bool = Field(
        default=False, description="barriers from the ideal geometry to the minima kept, some hundred evaluations each"
    )


class ThermoStageSettings(SettingsSection):
    """Formation energies and equilibrium concentrations; none in a run without temperatures."""

    temperatures: tuple[float, ...] = Field((), description="K; empty: no such stage in a run")
    pressures: tuple[float, ...] = Field((0.0,), min_length=1, description="on the crystal, GPa")
    mu: tuple[str, ...] = Field(
        (), description="chemical potentials that you give, eV per atom on the scale of the potential, [O=-4.9]"
    )
    phases: tuple[str, ...] = Field(
        (), description="more phases to compare with: CIFs, or energies of formula units in eV, [Mg2SiO4=-50.1]"
    )
    gas: tuple[str, ...] = Field((), description="partial pressures of gases in bar, [O2=0.2]; 1 where not given")
    molecules: bool = Field(
        default=False, description="take the computed molecule of a gas as it is, not fitted to measured enthalpies"
    )
    metastable: bool = Field(default=False, description="go on with a host that would decompose into known phases")
    volumes: bool = Field(default=True, description="relaxation volumes, from elastic constants and residual stress")
    vibrations: bool = Field(default=False, description="free energies of the normal modes of crystals and defects")
    anharmonic: int | None = Field(
        None, ge=50, description="steps of 2 fs at each of four nodes of a thermodynamic integration; null for none"
    )
    barriers: bool = Field(default=False, description="migration barriers of every distinct jump, and diffusion")
