"""The loop goes on to the same bits from any step, keeps what was judged best, and reads checkpoints of students."""

from pathlib import Path

import pytest
import torch

from augment.errors import ResumeError
from md.training import loop
from md.training.loop import Course, Trainer
from md.training.processes import Processes


class Line:
    """Learns to multiply by three; `best` is what is held out to be."""

    def __init__(self, best: float | None = None) -> None:
        self.best = best

    def identity(self, _processes: Processes) -> list[float | None]:
        return [self.best]

    def network(self) -> torch.nn.Linear:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return torch.nn.Linear(1, 1)

    def optimiser(self, network: torch.nn.Linear) -> torch.optim.Optimizer:
        return torch.optim.Adam(network.parameters())

    def rate(self, step: int) -> float:
        return 0.1 / (1 + 0.01 * step)

    def batch(self, step: int, _processes: Processes) -> torch.Tensor:
        return torch.randn(8, 1, generator=torch.Generator().manual_seed(step))

    def loss(self, network: torch.nn.Linear, batch: torch.Tensor, _step: int) -> torch.Tensor:
        return ((network(batch) - 3 * batch) ** 2).mean()

    def judge(self, network: torch.nn.Linear) -> float | None:
        return None if self.best is None else abs(network.weight.item() - self.best)


COURSE = Course(steps=200, clip=10.0, averaging=0.9, warmup=9.0)


def bits(network: torch.nn.Module) -> bytes:
    return b"".join(value.numpy().tobytes() for value in network.state_dict().values())


def test_it_learns_and_goes_on_from_any_step_to_the_same_bits(tmp_path: Path) -> None:
    whole = Trainer(Line(), COURSE).run()
    assert whole.weight.item() == pytest.approx(3.0, abs=0.01)
    for step in (1, 57, 199):
        path = tmp_path / f"{step}.pt"
        Trainer(Line(), COURSE, path).run(until=step)
        torch.manual_seed(step)
        again = Trainer(Line(), COURSE, path)
        assert again.step == step == len(again.losses)
        assert bits(again.run()) == bits(whole)


def test_a_kill_costs_the_steps_since_the_last_checkpoint_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(step: int, _loss: float) -> None:
        if step == 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        Trainer(Line(), COURSE, tmp_path / "a.pt").run(progress=stop)
    monkeypatch.undo()
    again = Trainer(Line(), COURSE, tmp_path / "a.pt")
    assert again.step == 30
    assert bits(again.run()) == bits(Trainer(Line(), COURSE).run())


def test_the_weights_that_were_judged_best_are_kept() -> None:
    course = Course(steps=200, clip=10.0, averaging=0.0, warmup=9.0, judged=5)
    trainer = Trainer(Line(best=2.0), course)
    assert trainer.run().weight.item() == pytest.approx(2.0, abs=0.3)
    assert [step for step, _ in trainer.held_out] == list(range(5, 201, 5))
    assert Trainer(Line(best=2.0), Course(200, 10.0, 0.0, 9.0)).run().weight.item() == pytest.approx(3.0, abs=0.05)


def test_a_checkpoint_of_a_student_is_read(tmp_path: Path) -> None:
    """Its weights used to be lists in the order of the parameters."""
    path = tmp_path / "a.pt"
    Trainer(Line(), COURSE, path).run(until=50)
    new = torch.load(path, weights_only=True)
    lists = {"weights": list(new["network"].values()), "average": list(new["average"].values())}
    torch.save({"identity": new["identity"], "step": 50, **lists, "optimizer": new["optimiser"]}, path)
    again = Trainer(Line(), COURSE, path)
    assert again.step == 50
    assert bits(again.run()) == bits(Trainer(Line(), COURSE).run())


def test_another_training_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    Trainer(Line(), COURSE, path).run(until=1)
    with pytest.raises(ResumeError, match="other data or other settings"):
        Trainer(Line(best=1.0), COURSE, path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ResumeError, match="damaged"):
        Trainer(Line(), COURSE, path)
