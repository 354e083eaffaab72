"""The command: any generator, the same bytes again, what is missing when stopped, and one line for bad input."""

from __future__ import annotations

import json
import re
from itertools import cycle, islice

import numpy as np
import pytest

from augment.errors import ConditionError, DataError, ResumeError, SettingsError
from augment.groups.distortion import apply_distortion
from augment.storage.lock import folder_lock
from defectgen.benchmark import outputs
from defectgen.benchmark.folder import read_structures, write_requests
from defectgen.benchmark.generators import BASELINES, NamedGenerator, load_generator
from defectgen.benchmark.outputs import collect, run_one
from defectgen.benchmark.run import run_benchmark
from defectgen.benchmark.score import score_task
from defectgen.benchmark.settings import BenchSettings
from defectgen.benchmark.tasks.task import TaskSet, read_tasks
from tests.support.places import EXAMPLES


def pick(tasks, formula, *kinds):
    chosen = [t for t in tasks.tasks if t.formula == formula and (not kinds or t.kind in kinds)]
    return TaskSet(tuple(chosen), tasks.manifest, tasks.sha256)


@pytest.fixture(scope="module")
def few(small):
    """One task of each kind of each host."""
    return list(read_tasks(small).tasks)


def oracle(tasks):
    """A generator that knows the references, and returns their atoms in another order, turned and moved."""
    by_key = {
        (t.defect.key, t.temperature, t.pressure, t.request(1, 0).snapshot, t.request(1, 0).subgroup): t for t in tasks
    }

    def propose(ask):
        task = by_key[ask.defect.key, ask.temperature, ask.pressure, ask.snapshot, ask.subgroup]
        rng = ask.rng("oracle", 0)
        for reference in islice(cycle(task.references), ask.n if ask.snapshot else len(task.references)):
            atoms = apply_distortion(ask.ideal, reference.state).to_ase()[rng.permutation(len(ask.ideal))]
            atoms.positions += rng.uniform(-3, 3, 3)
            atoms.rotate(70, (1, 2, 3), rotate_cell=True)
            yield atoms

    return NamedGenerator("oracle", propose, "1")


def test_a_generator_that_knows_the_answers_scores_perfectly(few):
    generator = oracle(few)
    for task in few:
        n = len(task.references)
        outcome = run_one(generator, task.request(n, 0))
        assert outcome.error == ""
        score = score_task(task, outcome.cells, n)
        for name, perfect in (("mae_5", 0.0), ("crmse", 0.0), ("metre", 1.0), ("valid", 1.0), ("msd_error", 0.0)):
            assert score.get(name, perfect) == pytest.approx(perfect, abs=1e-5), (task.id, name)


def test_baselines_give_what_they_promise(few):
    for name in BASELINES:
        generator = load_generator(name)
        for task in [t for t in few if t.kind in {"symmetric", "free"} and t.formula == "MgO"]:
            first, again = (run_one(generator, task.request(3, 5)) for _ in range(2))
            assert first.error == ""
            assert len(first.cells) == 3
            assert all((a.positions == b.positions).all() for a, b in zip(first.cells, again.cells, strict=True))
            other = run_one(generator, task.request(3, 6))
            same = all((a.positions == b.positions).all() for a, b in zip(first.cells, other.cells, strict=True))
            assert same == (name in {"unrelaxed", "descent"}), "what has nothing random in it"
            alone = run_one(generator, task.request(1, 5))
            assert (alone.cells[0].positions == first.cells[0].positions).all()
            score = score_task(task, first.cells, 3)
            assert score["composition"] == score["charge"] == score["placed"] == 1.0
            if task.kind == "symmetric" and name in {"unrelaxed", "symmetric-rattle", "enumeration", "descent"}:
                assert score["h_spglib"] == score["h_moyopy"] == 1.0
            if task.kind == "symmetric" and name == "rattle":
                assert score["h_spglib"] == score["h_moyopy"] == 0.0


@pytest.mark.parametrize("name", ["default", "one-shot"])
def test_shipped_models_are_generators(few, name):
    generator = load_generator(name)
    for kind in ("symmetric", "free", "snapshot"):
        task = next(t for t in few if t.kind == kind and t.formula == "MgO")
        first, again = (run_one(generator, task.request(2, 3)) for _ in range(2))
        assert first.error == ""
        assert [c.positions.tobytes() for c in first.cells] == [c.positions.tobytes() for c in again.cells]
        score = score_task(task, first.cells, 2)
        assert score["valid"] == 1.0
        assert score.get("h_spglib", 1.0) == score.get("h_moyopy", 1.0) == 1.0


def test_what_a_generator_gets_wrong_is_caught_and_is_no_better_than_doing_nothing(few):
    task = next(t for t in few if t.kind == "free")

    def spoilt(ask):
        atoms = ask.ideal.to_ase()
        wrong, clash, strange = atoms.copy(), atoms.copy(), atoms.copy()
        wrong.numbers[0] = 2
        clash.positions[0] = clash.positions[1] + 0.1
        strange.set_cell(2 * strange.cell.array)
        charged = atoms.copy()
        charged.info["charge"] = 3
        return [wrong, clash, strange, charged]

    score = score_task(task, run_one(NamedGenerator("spoilt", spoilt, ""), task.request(4, 0)).cells, 4)
    shares = {k: score[k] for k in ("composition", "no_overlap", "placed", "charge", "valid")}
    assert shares == {"composition": 0.75, "no_overlap": 0.75, "placed": 0.5, "charge": 0.75, "valid": 0.0}
    still = score_task(task, run_one(load_generator("unrelaxed"), task.request(4, 0)).cells, 4)
    assert score["mae_5"] == pytest.approx(still["mae_5"])
    nothing = score_task(task, [], 4)
    assert nothing["mae_5"] == still["mae_5"]
    assert nothing["valid"] == 0.0


def test_whatever_a_generator_raises_is_an_outcome(few):
    def failing(ask):
        yield ask.ideal
        raise RuntimeError("out of\nideas")

    outcome = run_one(NamedGenerator("failing", failing, ""), few[0].request(3, 0))
    assert (len(outcome.cells), outcome.error) == (1, "RuntimeError: out of ideas")
    lazy = run_one(NamedGenerator("lazy", lambda ask: ask.ideal, ""), few[0].request(1, 0))
    assert "return a list" in lazy.error
    greedy = run_one(NamedGenerator("greedy", lambda ask: [ask.ideal] * 99, ""), few[0].request(2, 0))
    assert len(greedy.cells) == 2


def test_memory_is_measured():
    def hungry(ask):
        block = np.ones(30_000_000)
        return [ask.ideal] * int(block[0])

    from types import SimpleNamespace

    from augment import DefectCell

    ideal = DefectCell("", "", np.eye(3), np.array([1]), np.zeros((1, 3)), np.array([0]))
    ask = SimpleNamespace(ideal=ideal, n=1, defect=SimpleNamespace(charge=0))
    assert outputs.run_one(NamedGenerator("hungry", hungry, ""), ask).peak > 200
    assert outputs.run_one(NamedGenerator("modest", lambda ask: [ask.ideal], ""), ask).peak < 50


def test_finished_tasks_are_not_run_again(few, tmp_path):
    calls = []

    def counting(ask):
        calls.append(ask.defect.key)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return [ask.ideal]

    generator = NamedGenerator("counting", counting, "1")
    with pytest.raises(KeyboardInterrupt):
        collect(generator, few[:4], 1, 0, tmp_path)
    assert len(calls) == 3
    outcomes = collect(generator, few[:4], 1, 0, tmp_path)
    assert len(calls) == 5
    assert [len(o.cells) for o in outcomes] == [1, 1, 1, 1]
    for other, n, seed in ((NamedGenerator("counting", counting, "2"), 1, 0), (generator, 2, 0), (generator, 1, 1)):
        with pytest.raises(ResumeError, match="another"):
            collect(other, few[:4], n, seed, tmp_path)


def test_a_folder_of_structures_answers_for_its_program(small, tmp_path):
    from ase.io import read, write

    cubic = pick(read_tasks(small), "MgO")
    asked = tmp_path / "asked.xyz"
    assert write_requests(asked, cubic) == len(cubic.tasks)
    images = read(asked, index=":")
    for k, atoms in enumerate(images):
        atoms.positions[0, 0] += 0.01 * k
    write(tmp_path / "answers.xyz", images, format="extxyz")
    answers = read_structures(tmp_path / "answers.xyz")
    for k, task in enumerate(cubic.tasks):
        found = list(answers(task.request(5, 0)))
        assert len(found) == 1
        assert found[0].positions[0, 0] - task.defect.cell().positions[0, 0] == pytest.approx(0.01 * k, abs=1e-7)
    cif = tmp_path / "cifs"
    cif.mkdir()
    from augment.exchange.cif import cif_text

    (cif / "one.cif").write_text(cif_text(cubic.tasks[0].defect.cell()))
    assert len(list(read_structures(cif)(cubic.tasks[0].request(1, 0)))) == 1
    with pytest.raises(DataError, match="no .xyz"):
        read_structures(tmp_path / "plots")
    write(tmp_path / "bare.xyz", images[0].copy(), format="extxyz", write_info=False)
    with pytest.raises(DataError, match="defect_key"):
        read_structures(tmp_path / "bare.xyz")


def settings_of(folder, tasks):
    return BenchSettings(folder, ("rattle",), tasks=tasks, n=2)


def test_a_folder_with_other_files_is_left_alone(small, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ResumeError, match="not empty and not a benchmark"):
        run_benchmark(settings_of(tmp_path, small))
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["thesis.tex"]


def test_the_same_seed_gives_the_same_bytes_but_for_timings(small, tmp_path):
    run_benchmark(settings_of(tmp_path / "a", small))
    run_benchmark(settings_of(tmp_path / "b", small))
    results = [json.loads((tmp_path / x / "results.json").read_text()) for x in "ab"]
    for found in results:
        assert found.pop("timings")["generators"].keys() == {"unrelaxed", "rattle"}
    assert json.dumps(results[0]) == json.dumps(results[1])
    assert (tmp_path / "a/scores.jsonl").read_bytes() == (tmp_path / "b/scores.jsonl").read_bytes()
    for plot in ("errors.svg", "tasks.svg"):
        assert (tmp_path / "a/plots" / plot).read_bytes() == (tmp_path / "b/plots" / plot).read_bytes()
    page = (tmp_path / "a/benchmark.html").read_text()
    assert not re.search(r"""(src|href)=["']?(https?:|//)|url\(\s*["']?http|@import""", page)
    for generator in results[0]["generators"]:
        for estimate in (e for metrics in generator["metrics"].values() for e in metrics.values()):
            if estimate["low"] is not None:
                assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert results[0]["generators"][0]["metrics"]["free"]["mae_5"]["below_unrelaxed"]["value"] == 0.0
    again = run_benchmark(settings_of(tmp_path / "a", small))
    again.pop("timings")
    assert json.loads(json.dumps(again)) == results[0]


def test_relaxations_with_a_potential(small, tmp_path):
    settings = BenchSettings(tmp_path, ("rattle",), tasks=small, n=2, relax="emt")
    results = run_benchmark(settings)
    assert results["energy"]["cases"] == ["Cu/copper/v_Cu/free"]  # emt knows copper alone of these hosts
    still, rattled = (g["energy"] for g in results["generators"])
    assert still["steps_saved"]["value"] == still["best_energy"]["value"] == 0.0
    assert still["same_or_lower"]["value"] == 1.0
    assert rattled["same_or_lower"]["value"] == 1.0  # a vacancy in copper has one minimum
    assert rattled["steps_saved"]["value"] < 0.0  # and a rattle is further from it
    assert rattled["lower_than"] == {"unrelaxed": 0.0}


def test_the_command_prints_a_table_or_json(call, small, tmp_path):
    chosen = ("--tasks", small, "--subset", "valid")
    arguments = ("bench", "-g", "symmetric-rattle", *chosen, "--limit", 2, "-n", 1, "-o", tmp_path / "out")
    code, out, err = call(*arguments)
    assert code == 0
    assert "error within 5 Å" in out
    assert "unrelaxed" in out
    assert "2 of 2" in err
    code, out, _ = call(*arguments, "--json")
    assert code == 0
    assert json.loads(out)["benchmark"] == "DefectBench"
    listed = tmp_path / "tasks.xyz"
    assert call("bench", "--write-tasks", listed, *chosen)[0] == 0
    assert listed.is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-g", "nothing"), "no generator 'nothing'"),
        (("-g", "json:nothing"), "no function"),
        (("-g", "no_such_module:f"), "cannot be imported"),
        (("-n", "0"), "-n 0"),
        (("--subset", "train", "-g", "rattle"), "split 'train'"),
        (("--relax", "nothing", "-g", "rattle"), "no potential named"),
        (("--sampler", "uniform", "-g", "rattle"), "--relax"),
        (("--tasks", "nothing.npz", "-g", "rattle"), "nothing.npz"),
        (("--dft", "nothing.gz", "-g", "rattle"), "nothing.gz"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call, tmp_path, arguments, words):
    code, _, err = call("bench", *arguments, "-o", tmp_path / "out")
    assert code == 2
    assert words in err
    assert err.startswith("defectgen: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_benchmark_is_left_alone(call, small, tmp_path):
    arguments = ("bench", "-g", "rattle", "--tasks", small, "--limit", 1, "-n", 1, "-o", tmp_path)
    assert call(*arguments, "--subset", "valid")[0] == 0
    code, _, err = call(*arguments, "--subset", "test")
    assert code == 2
    assert "another split" in err


def test_two_processes_do_not_share_a_folder(small, tmp_path):
    with folder_lock(tmp_path), pytest.raises(ResumeError, match="another process"):
        run_benchmark(BenchSettings(tmp_path, ("rattle",), tasks=small, n=1, limit=1))


def test_settings_and_names_are_checked():
    with pytest.raises(SettingsError):
        BenchSettings("x", relax_cases=0)
    with pytest.raises(SettingsError):
        BenchSettings("x", generators=())
    with pytest.raises(ConditionError):
        load_generator("module_without_function")


@pytest.mark.slow
def test_the_example_measures_its_own_function(tmp_path):
    import subprocess
    import sys

    script = EXAMPLES / "benchmark_generator.py"
    run = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert [line.split()[0] for line in run.stdout.splitlines()] == ["unrelaxed", "benchmark_generator.mine"]
    assert (tmp_path / "out/bench/benchmark.html").is_file()
