"""Sweeps: the same bytes however they are run, killed or shared; errors that name the item and keep the rest."""

import gc
import importlib.util
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from augment.cell import DefectCell
from augment.errors import ConditionError, DataError, DefectgenError, PotentialError, ResumeError, SettingsError
from md.campaigns.relax_and_md import grid, md_all, relax_all
from md.conditions.environment import Environment
from md.conditions.point import Engine
from md.jobs.sweep import Job, Shard, sweep
from md.observables import summary
from md.potentials import Potential, resolve_potential
from md.relaxation.relax import RelaxSettings
from tests.support.cells import cell_of
from tests.support.places import EXAMPLES, ROOT


def square(payload: int) -> dict[str, np.ndarray]:
    return {"square": np.array(payload**2)}


def slow_square(payload: int) -> dict[str, np.ndarray]:
    time.sleep(0.15)
    return square(payload)


def fragile(payload: int) -> dict[str, np.ndarray]:
    if payload == 2:
        raise PotentialError("the potential failed")
    if payload == 5:
        raise ZeroDivisionError("five")
    return square(payload)


def dying(payload: int) -> dict[str, np.ndarray]:
    if payload == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return square(payload)


def threads(_payload: int) -> dict[str, np.ndarray]:
    return {"threads": np.array(int(os.environ["OMP_NUM_THREADS"])), "pid": np.array(os.getpid())}


def tasks(count: int) -> list[Job]:
    return [Job(f"item{i}", f"label {i}", i) for i in range(count)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.npz"))}


def test_items_come_back_in_order_with_the_same_bytes_for_any_number_of_workers(tmp_path: Path) -> None:
    for workers in (1, 3):
        items = sweep(tasks(7), square, tmp_path / str(workers), workers=workers)
        assert [int(item.arrays()["square"]) for item in items] == [i**2 for i in range(7)]
        assert all(item.seconds >= 0 for item in items)
    backwards = sweep(tasks(7)[::-1], square, tmp_path / "back", workers=2)
    assert [item.id for item in backwards] == [f"item{i}" for i in range(6, -1, -1)]
    assert contents(tmp_path / "1") == contents(tmp_path / "3") == contents(tmp_path / "back")


def test_workers_run_on_one_thread_each_in_processes_of_their_own(tmp_path: Path) -> None:
    arrays = [item.arrays() for item in sweep(tasks(4), threads, tmp_path, workers=2)]
    assert {int(a["threads"]) for a in arrays} == {1}
    assert os.getpid() not in {int(a["pid"]) for a in arrays}


def test_finished_items_are_kept_and_damaged_ones_done_again(tmp_path: Path) -> None:
    sweep(tasks(4), square, tmp_path, workers=1)
    before = contents(tmp_path)
    damaged, swapped, flipped = (tmp_path / f"item{i}.npz" for i in (1, 2, 3))
    damaged.write_bytes(damaged.read_bytes()[:-40])
    swapped.write_bytes(flipped.read_bytes())
    middle = len(before["item3.npz"]) // 3
    flipped.write_bytes(before["item3.npz"][:middle] + b"?!" + before["item3.npz"][middle + 2 :])
    (tmp_path / ".item0.npz.abc").write_bytes(b"half")
    seen: list[tuple[int, int, str]] = []
    sweep(tasks(5), square, tmp_path, workers=1, progress=lambda *state: seen.append(state))
    assert seen == [(1, 5, ""), *((i + 1, 5, f"label {i}") for i in (1, 2, 3, 4))]
    assert {name: data for name, data in contents(tmp_path).items() if name != "item4.npz"} == before
    assert not list(tmp_path.glob(".*.abc"))


@pytest.mark.parametrize("workers", [1, 2])
def test_failing_items_are_named_and_the_others_finished(tmp_path: Path, workers: int) -> None:
    with pytest.raises(DefectgenError, match=r"label \d.*the first of 2 that failed, of 7"):
        sweep(tasks(7), fragile, tmp_path, workers=workers)
    assert len(contents(tmp_path)) == 5
    with pytest.raises(PotentialError, match="label 2: the potential failed"):
        sweep(tasks(3), fragile, tmp_path, workers=workers)


def test_a_killed_worker_is_an_error_for_its_item_only(tmp_path: Path) -> None:
    with pytest.raises(DefectgenError, match=r"label 1: WorkerDied: its process was killed.*memory"):
        sweep(tasks(6), dying, tmp_path, workers=2)
    assert len(contents(tmp_path)) == 5


def test_one_process_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    def intrude(done: int, _total: int, _label: str) -> None:
        if done == 0:
            with pytest.raises(ResumeError, match="another process"):
                sweep(tasks(1), square, tmp_path, workers=1)

    sweep(tasks(1), square, tmp_path, workers=1, progress=intrude)


def thread_pool() -> Executor:
    return ThreadPoolExecutor(2)


def process_pool() -> Executor:
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


def parsl_pool() -> Executor:
    import parsl
    from parsl.concurrent import ParslPoolExecutor

    folder = tempfile.mkdtemp()
    # Its log file is never closed, and would be found open when some later test collects garbage.
    return ParslPoolExecutor(
        parsl.Config(executors=[parsl.ThreadPoolExecutor()], run_dir=folder, initialize_logging=False)
    )


def dask_pool() -> Executor:
    from distributed import Client

    client = Client(n_workers=2, threads_per_worker=1, dashboard_address=None)
    executor = client.get_executor()
    ending = executor.shutdown
    executor.shutdown = lambda *args, **kwargs: (ending(*args, **kwargs), client.shutdown())
    return executor


@pytest.mark.filterwarnings("default")  # the pools of other projects leave warnings behind
@pytest.mark.parametrize("make", [thread_pool, process_pool, parsl_pool, dask_pool])
def test_any_executor_gives_the_same_bytes_and_names_what_fails(
    make: Callable[[], Executor], emt: Potential, copper: DefectCell, tmp_path: Path
) -> None:
    points = grid([copper], [Environment(300.0), Environment(600.0, 2.0)], ["lammps"], steps=5, interval=5)
    md_all(points, emt, tmp_path / "here", workers=1)
    with make() as executor:
        responses = md_all(points, emt, tmp_path / "there", executor=executor)
        with pytest.raises(DefectgenError, match="the first of 2 that failed, of 7"):
            sweep(tasks(7), fragile, tmp_path / "fragile", executor=executor)
        sweep(tasks(4), square, tmp_path / "squares", executor=executor)
    assert [r.point for r in responses] == [p for p, _ in points]
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "fragile")) == 5
    sweep(tasks(4), square, tmp_path / "again", workers=1)
    assert contents(tmp_path / "squares") == contents(tmp_path / "again")
    del executor
    gc.collect()  # here, where what the pools left open is only shown, and not in whatever test comes next


@pytest.mark.filterwarnings("default")
def test_the_example_of_a_slurm_cluster_is_one_that_parsl_takes() -> None:
    path = EXAMPLES / "cluster" / "slurm.py"
    spec = importlib.util.spec_from_file_location("slurm", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert type(module.config.executors[0].provider).__name__ == "SlurmProvider"
    assert "OMP_NUM_THREADS=1" in module.config.executors[0].provider.worker_init
    del module
    gc.collect()  # here, as above


def test_shards_share_a_folder_and_together_do_everything_once(tmp_path: Path) -> None:
    sweep(tasks(7), square, tmp_path / "whole", workers=1)
    folder, done = tmp_path / "shared", []

    def other(done_now: int, _total: int, _label: str) -> None:
        if done_now == 1:  # in the midst of the first shard
            done.extend(sweep(tasks(7), square, folder, workers=1, shard=Shard(1, 2)))
            with pytest.raises(ResumeError, match="another process"):
                sweep(tasks(7), square, folder, workers=1)

    first = sweep(tasks(7), square, folder, workers=1, shard=Shard.parse("0/2"), progress=other)
    assert [item.id for item in first] == ["item0", "item2", "item4", "item6"]
    assert [item.id for item in done] == ["item1", "item3", "item5"]
    assert contents(folder) == contents(tmp_path / "whole")
    assert sweep(tasks(7), fragile, folder, workers=1)[6].id == "item6"  # all there: nothing is called


def test_an_item_is_done_by_one_at_a_time(tmp_path: Path) -> None:
    def square_and_intrude(payload: int) -> dict[str, np.ndarray]:
        with pytest.raises(ResumeError, match="label 0: another process is working on it"):
            sweep(tasks(1), square, tmp_path, workers=1, shard=Shard(0, 1))
        return square(payload)

    sweep(tasks(1), square_and_intrude, tmp_path, workers=1, shard=Shard(0, 1))
    left = {path.name for path in tmp_path.iterdir()} - {".lock"}  # which some versions of filelock remove
    assert left == {"item0.json", "item0.npz"}


@pytest.mark.parametrize("text", ["2/2", "1", "a/b", "-1/2", "0/0", "1/2/3"])
def test_impossible_shards_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="shard"):
        Shard.parse(text)


def test_no_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        sweep(tasks(1), square, tmp_path, workers=0)


def test_an_interrupt_stops_the_workers_and_passes_on(tmp_path: Path) -> None:
    def interrupt(done: int, _total: int, _label: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(tasks(20), slow_square, tmp_path, workers=2, progress=interrupt)
    finished = len(contents(tmp_path))
    time.sleep(0.4)
    assert len(contents(tmp_path)) == finished < 6
    assert len(sweep(tasks(20), square, tmp_path, workers=2)) == 20


SCRIPT = """
import sys
sys.path[:0] = [{folder!r}]
from pathlib import Path
from tests.md.jobs.test_sweep import slow_square, tasks
from md.jobs.sweep import sweep
sweep(tasks(16), slow_square, Path(sys.argv[1]), workers=2)
"""  # no main guard: a script of a user may have none


def test_a_sweep_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    sweep(tasks(16), square, tmp_path / "whole", workers=1)
    script, folder = tmp_path / "script.py", tmp_path / "killed"
    script.write_text(SCRIPT.format(folder=str(ROOT)))
    kills = 0
    for delay in (0.2, 0.33, 0.5):
        already = len(contents(folder))
        process = subprocess.Popen([sys.executable, script, folder], env=os.environ)
        while process.poll() is None and len(contents(folder)) <= already:
            time.sleep(0.01)
        time.sleep(delay)
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 2
    assert len(contents(folder)) < 16
    time.sleep(1.2)  # workers notice that they are alone
    left = contents(folder)
    time.sleep(0.4)
    assert contents(folder) == left
    subprocess.run([sys.executable, script, folder], check=True)
    assert contents(folder) == contents(tmp_path / "whole")


def test_relaxations_and_dynamics_are_the_same_with_one_and_two_workers(
    emt: Potential, copper: DefectCell, alloy: DefectCell, tmp_path: Path
) -> None:
    engines: list[Engine] = ["ase", "lammps"]
    points = grid([copper, alloy], [Environment(300.0), Environment(600.0, 2.0)], engines, steps=10, interval=5)
    responses: list[list[dict[str, Any]]] = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        relaxed = relax_all([copper, alloy], emt, folder / "relax", RelaxSettings(fmax=0.05), workers=workers)
        assert [r.status for r in relaxed] == ["converged", "converged"]
        found = [summary(r) for r in md_all(points, emt, folder / "md", workers=workers)]
        responses.append([{k: v for k, v in one.items() if k != "seconds"} for one in found])
        assert all(one["seconds"] > 0 for one in found)
    assert len(points) == 8
    assert responses[0] == responses[1]
    for stage in ("relax", "md"):
        assert contents(tmp_path / "1" / stage) == contents(tmp_path / "2" / stage)


def test_progress_says_how_fast_the_dynamics_goes(emt: Potential, copper: DefectCell, tmp_path: Path) -> None:
    labels: list[str] = []
    points = grid([copper], [Environment(300.0), Environment(600.0)], ["ase"], steps=5, interval=5)
    md_all(points, emt, tmp_path, workers=1, progress=lambda _done, _total, label: labels.append(label))
    assert labels[0] == ""
    speeds = [float(label.split(", ")[1].removesuffix(" ns/day")) for label in labels[1:]]
    assert len(speeds) == 2
    assert all(0 < speed < 1000 for speed in speeds)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chgnet", "mace-mgo"])
def test_torch_potentials_give_the_same_bytes_with_one_and_two_workers(name: str, tmp_path: Path) -> None:
    atoms = bulk("MgO", "rocksalt", 4.3, cubic=True)
    cells = [cell_of(atoms), cell_of(atoms)]
    cells[1].positions[0, 0] += 0.1
    potential = resolve_potential(name)
    points = grid(cells, [Environment(300.0)], ["ase", "lammps"], steps=5, interval=1)
    for workers in (1, 2):
        relax_all(cells, potential, tmp_path / f"relax{workers}", workers=workers)
        md_all(points, potential, tmp_path / f"md{workers}", workers=workers)
    assert contents(tmp_path / "relax1") == contents(tmp_path / "relax2")
    assert contents(tmp_path / "md1") == contents(tmp_path / "md2")


def test_what_decides_an_item_decides_its_file(emt: Potential, copper: DefectCell, tmp_path: Path) -> None:
    shifted = copper.with_geometry(copper.positions + np.eye(1, 3) * 1e-12)
    relax_all([copper, copper], emt, tmp_path, workers=1)
    assert len(contents(tmp_path)) == 1
    relax_all([shifted], emt, tmp_path, workers=1)
    relax_all([copper], emt, tmp_path, RelaxSettings(fmax=0.01), workers=1)
    assert len(contents(tmp_path)) == 3


def test_bad_jobs_are_refused_before_anything_runs(emt: Potential, copper: DefectCell, tmp_path: Path) -> None:
    iron = cell_of(copper.to_ase())
    iron.numbers[0] = 26
    with pytest.raises(PotentialError, match="does not cover Fe"):
        relax_all([copper, iron], emt, tmp_path / "a")
    with pytest.raises(DataError, match="1 symmetries for 2 cells"):
        relax_all([copper, copper], emt, tmp_path / "b", symmetries=[None])
    with pytest.raises(ConditionError):
        grid([copper], [Environment(300.0)], ["ase", "dlpoly"])  # type: ignore[list-item]
    assert not list(tmp_path.iterdir())
