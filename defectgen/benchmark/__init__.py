"""DefectBench: any generator of defective crystals on frozen held-out hosts, beside baselines, with intervals."""

from defectgen.benchmark.protocol import BenchmarkRequest, Generator
from defectgen.benchmark.run import run_benchmark
from defectgen.benchmark.settings import BenchSettings
from defectgen.benchmark.tasks.task import Task, TaskSet, read_tasks

__all__ = ["BenchSettings", "BenchmarkRequest", "Generator", "Task", "TaskSet", "read_tasks", "run_benchmark"]
