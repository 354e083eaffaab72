"""Workers on a Slurm cluster through Parsl (`pip install 'defectgen[cluster]'`); fill in the account and the queue."""

from parsl.concurrent import ParslPoolExecutor
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SrunLauncher
from parsl.providers import SlurmProvider

WORKER_INIT = """
source $HOME/defectgen/.venv/bin/activate
export OMP_NUM_THREADS=1
"""
"""Run on each node before its workers start: the environment that has defectgen, and one thread a worker."""

config = Config(
    executors=[
        HighThroughputExecutor(
            label="md",
            cores_per_worker=1,  # one item at a time on one core; give more memory with mem_per_worker (GB)
            provider=SlurmProvider(
                partition="standard",
                account="project",
                nodes_per_block=1,
                init_blocks=1,
                max_blocks=8,  # jobs in the queue at once
                walltime="12:00:00",
                worker_init=WORKER_INIT,
                launcher=SrunLauncher(),
            ),
        )
    ],
    retries=2,  # a job that reaches its walltime: its items go on from their checkpoints in the next
)


def executor() -> ParslPoolExecutor:
    """Executor for `md_all`, `relax_all` and `sweep`; use it in a `with` block on the login node."""
    return ParslPoolExecutor(config)
