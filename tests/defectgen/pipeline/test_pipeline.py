"""The whole way on copper with ASE's EMT: every stage does its work, a killed run ends like an undisturbed one."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from ase.io import read

from augment import host, read_host
from augment.crystal import cif
from augment.exchange import read_cif_cell
from augment.storage.archive import read_cells
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.run import run_pipeline
from defectgen.pipeline.stages import generate_stage, start_folder
from defectgen.run import defects
from defectgen.run.folder import STAGES, RunFolder
from defectgen.run.settings import read_settings
from md.campaigns.relaxation_records import relaxation_records
from md.labels.record import read_records
from md.labels.split import SPLITS
from md.relaxation import relaxed_host
from tests.support.places import HOSTS

COPPER = HOSTS / "Cu.cif"
SETTINGS = f"""
host: {COPPER}
seed: 3
workers: 1
potential: {{name: emt}}
defects: {{dopants: [Al], min_image_distance: 6.0, kinds: [vacancy, substitution]}}
relax: {{fmax: 0.05}}
md: {{temperatures: [300], pressures: [0, 5], steps: 40, sample: 10, max_cells: 2}}
"""


def settings_file(folder):
    path = folder / "settings.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    base = tmp_path_factory.mktemp("copper")
    settings = read_settings(settings_file(base)).replaced({"output": base / "run"})
    return run_pipeline(settings).parent


def dataset_hash(folder):
    files = sorted((folder / "export").glob("*.extxyz"))
    assert files
    return hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()


def test_every_stage_leaves_its_files(finished):
    folder = RunFolder.open(finished)
    assert all(folder.finished(stage) for stage in STAGES if stage not in {"search", "thermo"})
    names = {row["name"] for row in folder.read_lines("defects/defects.jsonl")}
    assert names == {"v_Cu", "Al_Cu"}
    starts = {(row["name"], row["start"]) for row in folder.read_lines("relax/summary.jsonl")}
    assert {("v_Cu", "ideal"), ("v_Cu", "generated m-3m #0"), ("v_Cu", "generated 1 #0")} <= starts
    points = folder.read_lines("md/summary.jsonl")
    assert [(p["cell"], p["engine"], p["pressure"], p["role"]) for p in points] == [
        *((cell, "lammps", pressure, "data") for cell in ("bulk", "v_Cu") for pressure in (0.0, 5.0)),
        ("bulk", "ase", 0.0, "check"),
    ]
    assert len({p["seed"] for p in points}) == len(points)
    assert {p["frame_interval"] for p in points} == {20.0}
    assert all((p["correlation_time"] is None) == ("correlation_time" in p["not_measurable"]) for p in points)
    assert (finished / "report.html").stat().st_size > 100_000


def test_a_run_reads_its_host_builds_it_and_enumerates_its_defects_once(tmp_path, monkeypatch):
    counts = Counter()

    def counted(name, module, function):
        original = getattr(module, function)

        def call(*args, **kwargs):
            counts[name] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(module, function, call)

    counted("parsed", cif, "read_text")
    counted("built", host, "assemble_host")
    counted("enumerated", defects, "point_defects")
    counted("relaxed", relaxed_host, "relax_with")
    relaxed_host._relaxation.cache_clear()
    settings = read_settings(settings_file(tmp_path)).replaced({"output": tmp_path / "run", "md.steps": 10})
    run_pipeline(settings)
    assert counts == {"parsed": 1, "built": 1, "enumerated": 1, "relaxed": 2}, "the host, and its supercell"
    counts.clear()
    run_pipeline(settings)
    assert counts == {"parsed": 1, "built": 1}, "its defects are in the folder"


def test_every_proposal_has_its_own_cif_also_where_defects_share_a_name(tmp_path, capsys):
    settings = read_settings(settings_file(tmp_path)).replaced(
        {"output": tmp_path / "run", "defects.kinds": ["vacancy"], "complexes.names": ["v_Cu"], "complexes.min_size": 2}
    )
    prepared = PreparedRun.of(settings)
    folder = start_folder(prepared)
    generate_stage(prepared, folder)
    host = read_host(COPPER)
    proposed = read_cells(folder.file("generate", "cells.npz"))
    assert len({cell.name for cell in proposed}) < len({cell.key for cell in proposed}), "the case at hand"
    written = [read_cif_cell(path, host) for path in folder.file("generate").glob("*.cif")]
    assert sorted(cell.key for cell in written) == sorted(cell.key for cell in proposed)
    assert "generate: 0 of" in capsys.readouterr().err


def test_elements_that_the_model_never_saw_are_named(tmp_path):
    settings = read_settings(settings_file(tmp_path)).replaced(
        {"output": tmp_path / "run", "defects.dopants": ["Pu"], "potential.name": "chgnet", "generate.only": ["Pu_Cu"]}
    )
    prepared = PreparedRun.of(settings)
    folder = start_folder(prepared)
    generate_stage(prepared, folder)
    assert folder.times["generate"]["geometries_extrapolated_for"] == "Pu"
    written = folder.file("generate", "proposals.extxyz").read_text()
    assert 'extrapolates="Pu"' in written
    assert 'forces_by="chgnet"' in written, "those of the run's own potential"
    assert "without_forces" not in folder.times["generate"]


def test_the_model_is_told_by_the_potential_of_the_run_unless_another_is_named(tmp_path):
    settings = read_settings(settings_file(tmp_path)).replaced({"output": tmp_path / "run", "potential.name": "emt"})
    prepared = PreparedRun.of(settings)
    assert {request.forces for request in prepared.requests} == {prepared.potential}
    for name in ("teacher", "none", "chgnet"):
        named = PreparedRun.of(settings.replaced({"generate.forces": name}))
        assert {request.forces for request in named.requests} == {name}


def test_proposals_without_forces_are_counted(tmp_path):
    """Embedded-atom copper says nothing of plutonium; who asks for no forces knows."""
    changes = {"defects.dopants": ["Pu"], "generate.only": ["Pu_Cu"], "generate.subgroups": ["full"]}
    for forces, expected in (("emt", 1), ("none", None)):
        settings = read_settings(settings_file(tmp_path)).replaced(
            {"output": tmp_path / forces, "potential.name": "chgnet", "generate.forces": forces, **changes}
        )
        prepared = PreparedRun.of(settings)
        folder = start_folder(prepared)
        generate_stage(prepared, folder)
        assert folder.times["generate"].get("without_forces") == expected


def test_physics_makes_sense(finished):
    folder = RunFolder.open(finished)
    rows = {row["name"]: row for row in folder.read_lines("relax/summary.jsonl") if row["start"] == "ideal"}
    bulk = rows["bulk"]["energies"][-1]
    n = json.loads((finished / "defects" / "defects.jsonl").read_text().splitlines()[0])["supercell"]["atoms"]
    vacancy = rows["v_Cu"]["energies"][-1] - bulk * (n - 1) / n
    assert 0.9 < vacancy < 1.4  # eV; EMT gives about 1.0 to 1.2, experiment 1.28 (Ehrhart 1991)
    points = [p for p in folder.read_lines("md/summary.jsonl") if (p["cell"], p["role"]) == ("bulk", "data")]
    volumes = {p["pressure"]: p["volume"] for p in points}
    assert volumes[5.0] < volumes[0.0]


def test_the_dataset_holds_every_relaxed_cell_and_frame(finished):
    from ase.io import read

    files = [path for path in (finished / "export").glob("*.extxyz") if path.stem in SPLITS]
    frames = [f for path in files for f in read(path, index=":")]
    kinds = [f.info["config_type"] for f in frames]
    assert kinds.count("relaxed") == 3
    data = [f for f in frames if f.info.get("engine") == "lammps"]
    assert len(data) == 2 * 2 * 4  # the start of a trajectory is the relaxed cell again
    assert all({"REF_energy", "REF_stress", "total_charge"} <= set(f.info) for f in frames)
    assert all("REF_forces" in f.arrays for f in frames)


def test_every_relaxed_end_and_some_of_each_path_can_be_read(finished):
    rows = RunFolder.open(finished).read_lines("relax/summary.jsonl")
    records = list(relaxation_records(finished, 2))
    ends = [r for r in records if r.config_type != "relaxation_path"]
    assert [(r.cell.name, r.energy) for r in ends] == [(row["name"], row["energies"][-1]) for row in rows]
    lowest = {r.cell.key: r.energy for r in ends if r.cell.provenance["lowest"]}
    assert lowest == {r.cell.key: r.energy for r in read_records(finished / "relax" / "records.npz")}
    starts = [r.energy for r in records if (r.config_type, r.cell.provenance["step"]) == ("relaxation_path", 0)]
    assert starts == [row["energies"][0] for row in rows[1:] if row["steps"]]


def test_a_finished_run_is_not_repeated(finished):
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file() and p.name != ".lock"}
    run_pipeline(RunFolder.open(finished).settings)
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments_it_ends_with_the_same_dataset(finished, tmp_path, seed):
    command = [sys.executable, "-m", "defectgen", "run", str(settings_file(tmp_path)), "-o", str(tmp_path / "run")]
    moments = random.Random(seed)
    kills = 0
    for _ in range(60):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            assert process.wait(timeout=moments.uniform(1, 6)) == 0
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            time.sleep(0.1)
    assert kills > 0
    assert dataset_hash(tmp_path / "run") == dataset_hash(finished)


def test_frames_are_asked_for_by_a_flag_and_say_what_their_fluctuations_are(tmp_path, monkeypatch, call):
    """Embedded-atom copper has a Hessian; where it would take too long frames are the network's, and are counted."""
    flags = ["--defect", "v_Cu", "--temperature", "300", "--snapshot", "-n", "2", "--potential", "emt"]
    flags += ["--min-image-distance", "6", "--forces", "emt"]
    for most, said in ((1000, "harmonic"), (0, "learnt")):
        monkeypatch.setattr("defectgen.energy_surface.harmonic_ensemble.MAX_EVALUATIONS", most)
        folder = tmp_path / said
        code, _, err = call("generate", COPPER, *flags, "-o", folder)
        assert code == 0
        frames = read(folder / "generate" / "proposals.extxyz", ":")
        assert [(a.info["subgroup"], a.info["fluctuations"]) for a in frames] == [(1, said)] * 2
        assert [a.info.get("rest_subgroup") for a in frames] == (["m-3m"] * 2 if said == "harmonic" else [None] * 2)
        assert ("fluctuations learnt 2" in " ".join(err.split())) == (said == "learnt")
    code, _, err = call("generate", COPPER, "--snapshot", "-o", tmp_path / "cold")
    assert (code, "above 0 K" in err) == (2, True)
    assert not (tmp_path / "cold").exists()


def test_a_folder_of_a_version_without_a_relaxed_host_is_refused_and_nothing_is_lost(finished, tmp_path, call):
    old = tmp_path / "old"
    shutil.copytree(finished, old)
    (old / "generate" / "ideal.npz").unlink()
    before = sorted(path for path in old.rglob("*.npz"))
    code, _, err = call("relax", old, "--overwrite")
    assert code == 2
    assert "kept no generate/ideal.npz; make them again" in err
    assert sorted(path for path in old.rglob("*.npz")) == before
    assert call("report", old)[0] == 0
    assert call("export", old, "-o", tmp_path / "dataset")[0] == 0
