"""Energies of the phases that a host can exchange atoms with, by the potential that its defects have theirs from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.errors import ConditionError, DataError, DefectgenError, PotentialError
from augment.host import Host
from defectgen.thermodynamics.cache import ResultCache
from defectgen.thermodynamics.gases import GASES, KJ_PER_MOL
from defectgen.thermodynamics.known_phases import KnownPhase, known_phases, measured_enthalpies
from defectgen.thermodynamics.reservoir import Reservoir, formula_composition
from md.labels.third_party import silent_evaluation
from md.potentials import Potential
from md.relaxation.relaxed_host import RelaxedHost

__all__ = ["PhaseEnergies", "PhaseRequest", "find_phases"]

MAX_FITTED = 6
"""Compounds that a gas is fitted to; more change the mean by less than the scatter."""

MOLECULE_BOX = 14.0
"""Å; edge of the box around a molecule."""

_STRETCHES = np.linspace(-0.08, 0.12, 11)
"""Å; around the measured bond, that a parabola of the energy is fitted through near its lowest."""

PhaseReport = Callable[[int, int, str], None]


@dataclass(frozen=True)
class PhaseRequest:
    """What a user says of phases.

    Attributes:
        files: CIFs of more phases.
        given: chemical potentials of elements, eV per atom.
        energies: energies of compounds, eV of a formula unit, by formula.
        molecules: take the computed molecule of a gas as it is, also where it could be fitted.
    """

    files: tuple[Path, ...] = ()
    given: Mapping[str, float] | None = None
    energies: Mapping[str, float] | None = None
    molecules: bool = False


@dataclass(frozen=True)
class PhaseEnergies:
    """Phases with energies on the scale of one potential.

    Attributes:
        reservoirs: those that have one.
        left_out: why others have none, by name.
        missing: why an element has no phase, by symbol.
        notes: what a reader should know, such as how a gas was fitted.
        crystals: relaxed crystals of the computed ones, by name.
    """

    reservoirs: tuple[Reservoir, ...]
    left_out: Mapping[str, str]
    missing: Mapping[str, str]
    notes: tuple[str, ...]
    crystals: Mapping[str, Host]


def find_phases(
    elements: Sequence[str], potential: Potential, cache: ResultCache, request: PhaseRequest, report: PhaseReport
) -> PhaseEnergies:
    """Every phase of some elements that the potential can be asked for, and what the user gives.

    A phase outside of what the potential has learnt is left out, and said.

    Raises:
        CifError: a file holds no crystal.
        ConditionError: what is given is of other elements.
    """
    given, stated = dict(request.given or {}), dict(request.energies or {})
    _check_elements(given, stated, elements)
    crystals: dict[str, Host] = {p.name: p.host() for p in known_phases(elements) if p.formula not in given}
    crystals |= _of_files(request.files, elements)
    found: dict[str, Reservoir] = {}
    left_out: dict[str, str] = {}
    for done, (name, host) in enumerate(crystals.items()):
        report(done, len(crystals), name)
        try:
            found[name] = crystal_energy(name, host, potential, cache)
        except (DataError, PotentialError) as error:
            left_out[name] = str(error)
    report(len(crystals), len(crystals), "done")
    notes: list[str] = []
    for symbol in (s for s in elements if s in GASES and s not in given):
        gas, words = _gas(symbol, elements, potential, cache, molecule=request.molecules)
        notes += [words]
        if gas is not None:
            found[gas.name] = gas
    for symbol, value in given.items():
        found[f"{symbol} given"] = Reservoir(f"{symbol} given", {symbol: 1}, value, source="given")
    for formula, value in stated.items():
        composition = formula_composition(formula)
        found[f"{formula} given"] = Reservoir(f"{formula} given", composition, value, source="given")
    missing = _missing_elements(elements, found.values(), left_out, potential)
    return PhaseEnergies(tuple(found.values()), left_out, missing, tuple(notes), crystals)


def crystal_energy(name: str, host: Host, potential: Potential, cache: ResultCache) -> Reservoir:
    """A crystal at rest under a potential, as a reservoir.

    Raises:
        DataError: it does not come to rest, or is outside of what the potential has learnt.
        PotentialError: an element is not covered, or the potential fails.
    """
    potential.require(host.elements)
    kept = cache.get(name, {"kind": "phase", "host": host.hash}, lambda: _relaxed(host, potential))
    if kept.get("reason"):
        raise DataError(str(kept["reason"]))
    composition = formula_composition(host.formula)
    units = int(kept["atoms"]) / sum(composition.values())
    return Reservoir(name, composition, float(kept["energy"]) / units, float(kept["volume"]) / units)


def _relaxed(host: Host, potential: Potential) -> dict[str, Any]:
    try:
        reference = RelaxedHost.of(host, potential)
    except DataError as error:
        return {"reason": str(error)}
    record = reference.relaxation.record
    if record is None:
        return {"reason": reference.relaxation.reason}
    outside = potential.outside(record.cell)
    if outside:
        return {"reason": f"outside of what {potential.name} has learnt: {outside[0]}"}
    return {"energy": reference.energy, "volume": record.cell.volume, "atoms": len(record.cell)}


def _of_files(files: Sequence[Path], elements: Sequence[str]) -> dict[str, Host]:
    from augment import read_host

    hosts = {}
    for path in files:
        host = read_host(path)
        if not set(host.elements) <= set(elements):
            raise ConditionError(
                f"{path}: {host.formula} has elements that neither the host nor its defects have; leave it out"
            )
        hosts[f"{host.formula} ({path.stem})"] = host
    return hosts


def _check_elements(given: Mapping[str, float], stated: Mapping[str, float], elements: Sequence[str]) -> None:
    strange = sorted(set(given).union(*(formula_composition(f) for f in stated)) - set(elements))
    if strange:
        raise ConditionError(
            f"{', '.join(strange)}: given for an element that neither the host nor its defects have; they have "
            f"{', '.join(elements)}"
        )


def _missing_elements(
    elements: Sequence[str], found: Any, left_out: Mapping[str, str], potential: Potential
) -> dict[str, str]:
    """Why elements have no phase of their own."""
    pure = {symbol for phase in found if len(phase.composition) == 1 for symbol in phase.composition}
    reasons = {}
    for symbol in elements:
        if symbol not in pure:
            own = next((f"{name}: {r}" for name, r in left_out.items() if name.startswith(f"{symbol} (")), "")
            reasons[symbol] = own or f"the table has no crystal of it, and {potential.name} no molecule"
    return reasons


def _gas(
    symbol: str, elements: Sequence[str], potential: Potential, cache: ResultCache, *, molecule: bool
) -> tuple[Reservoir | None, str]:
    """A gas fitted to measured enthalpies of formation where that is possible, else its molecule; and what was done."""
    gas = GASES[symbol]
    computed = _molecule(symbol, potential, cache)
    fitted = {} if molecule and computed is not None else _fitted(symbol, elements, potential, cache)
    name = f"{gas.formula} gas"
    if fitted:
        value = float(np.mean(list(fitted.values())))
        spread = float(np.std(list(fitted.values())))
        text = (
            f"{name}: {value:.3f} eV an atom, fitted to measured enthalpies of formation of "
            f"{', '.join(fitted)} (spread {spread:.3f} eV)"
        )
        if computed is not None:
            text += f"; the molecule by {potential.name} has {computed:.3f}, {computed - value:+.3f} eV apart"
        return Reservoir(name, {symbol: 1}, value, 0.0, "fitted", symbol), text
    if computed is not None:
        text = f"{name}: {computed:.3f} eV an atom, the molecule by {potential.name} as it is, without a correction"
        return Reservoir(name, {symbol: 1}, computed, 0.0, "molecule", symbol), text
    return None, (
        f"{name}: {potential.name} can do neither the molecule nor a compound with its elements; "
        f"give its chemical potential with --mu {symbol}=eV"
    )


def _molecule(symbol: str, potential: Potential, cache: ResultCache) -> float | None:
    """Energy of an atom in a molecule by the potential, eV; None where that is outside of what it knows."""
    if not potential.covers([symbol]):
        return None
    kept = cache.get(
        f"{symbol}2 molecule", {"kind": "molecule", "box": MOLECULE_BOX}, lambda: {"energy": _bonded(symbol, potential)}
    )
    return None if kept["energy"] is None else float(kept["energy"])


def _bonded(symbol: str, potential: Potential) -> float | None:
    from ase import Atoms

    bond = GASES[symbol].bond
    centre = MOLECULE_BOX / 2
    atoms = Atoms([symbol, symbol], [[centre] * 3, [centre, centre, centre + bond]], cell=[MOLECULE_BOX] * 3, pbc=True)
    domain = potential.domain
    if domain is not None and domain.verdict(atoms.cell.array, atoms.numbers, atoms.positions).reasons:
        return None
    calculator = potential.calculator()
    energies = []
    try:
        with silent_evaluation():
            for stretch in _STRETCHES:
                moved = atoms.copy()
                moved.positions[1, 2] += stretch
                calculator.reset()
                moved.calc = calculator
                energies.append(float(moved.get_potential_energy()))
    except Exception:  # noqa: BLE001  whatever it is, this calculator has no molecule
        return None
    finally:
        calculator.reset()
    lowest = int(np.argmin(energies))
    inside = 0 < lowest < len(energies) - 1 and np.isfinite(energies).all()
    return float(min(energies)) / 2 if inside else None


def _fitted(symbol: str, elements: Sequence[str], potential: Potential, cache: ResultCache) -> dict[str, float]:
    """Energy of an atom of a gas (eV at 0 K) from each compound with a measured enthalpy of formation, by formula.

    After Wang, Maxisch and Ceder, Phys. Rev. B 73, 195107 (2006): the energy at which the compound's computed energy of
    formation is the measured enthalpy. That is one at 298 K: the enthalpy of the gas above 0 K, 0.045 eV an atom of
    oxygen, is taken out of it, and those of solids, which nearly cancel, are not.
    """
    own = set(elements)
    candidates = [
        f
        for f in measured_enthalpies()
        if symbol in formula_composition(f) and potential.covers(formula_composition(f))
    ]
    candidates.sort(key=lambda f: not set(formula_composition(f)) <= own)
    found: dict[str, float] = {}
    for formula in candidates:
        if len(found) == MAX_FITTED:
            break
        try:
            found[formula] = _gas_in(symbol, formula, potential, cache)
        except DefectgenError:
            continue
    return found


def _gas_in(symbol: str, formula: str, potential: Potential, cache: ResultCache) -> float:
    composition = formula_composition(formula)
    (metal,) = (s for s in composition if s != symbol)
    compound = _lowest([p for p in known_phases(composition) if p.formula == formula], potential, cache)
    pure = _lowest([p for p in known_phases([metal]) if p.formula == metal], potential, cache)
    formation = measured_enthalpies()[formula] * KJ_PER_MOL
    energy = compound.energy - composition[metal] * pure.energy - formation
    return energy / composition[symbol] - GASES[symbol].warm_enthalpy


def _lowest(phases: Sequence[KnownPhase], potential: Potential, cache: ResultCache) -> Reservoir:
    found = []
    for phase in phases:
        try:
            found.append(crystal_energy(phase.name, phase.host(), potential, cache))
        except DataError:
            continue
    if not found:
        raise DataError("no phase that the potential knows")
    return min(found, key=lambda phase: phase.energy / phase.atoms)
