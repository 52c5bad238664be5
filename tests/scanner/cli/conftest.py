"""A folder of small models, and workers that answer at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from onnxray.scanner.cli.commands import main
from onnxray.scanner.contract import encode
from onnxray.scanner.executors.local import Local
from onnxray.scanner.findings import Report
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.reports import written

Run = Callable[..., Result]
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'7' * 64}\nsize 12345\n"


def write_model(path: Path, content: str) -> None:
    """Bytes that begin as an ONNX file does."""
    path.write_bytes(b"\x08\x0a" + content.encode())


@dataclass
class Workers:
    """Stands in for ``Local.run``: answers by the first word of a model's name, and notes what it was given.

    Attributes:
        reports: word -> the report that models of such names get; "odd" fails.
        jobs: all that were done.
        stop_after: raises KeyboardInterrupt once so many are done.
        with_options: the executor's, of the last run.
    """

    reports: dict[str, Report]
    jobs: list[Job] = field(default_factory=list)
    stop_after: int = 10**9
    with_options: Local | None = None

    def run(self, jobs: Iterable[Job], moved: Callable[[Job, str, float], None]) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            if len(self.jobs) >= self.stop_after:
                raise KeyboardInterrupt
            self.jobs.append(job)
            moved(job, "searching", 0.5)
            yield job, self.outcome(job)

    def outcome(self, job: Job) -> Outcome:
        word = Path(job.name).name.split("-")[0].split(".")[0]
        if word not in self.reports:
            return Outcome(error=f"{job.name}: not a model", seconds=0.2)
        report = self.reports[word]
        model = replace(report.model, path=job.name, sha256=job.sha256, size_bytes=job.size_bytes)
        contract, files = written(replace(report, model=model))
        return Outcome(report=encode(contract), files=files, seconds=12.0, worker="here:1")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch, backdoored: Report, clean: Report, inconclusive: Report) -> Workers:
    """Workers that call trojan-... backdoored, clean-... clean and dark-... inconclusive."""
    found = Workers({"trojan": backdoored, "clean": clean, "dark": inconclusive})

    def run(
        self: Local, jobs: Iterable[Job], moved: Callable[[Job, str, float], None] = lambda job, text, fraction: None
    ) -> Iterator[tuple[Job, Outcome]]:
        found.with_options = self
        return found.run(jobs, moved)

    monkeypatch.setattr(Local, "run", run)
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def zoo(here: Path) -> Path:
    """Five models, of which two are the same, one is broken and one is not downloaded."""
    folder = here / "zoo"
    folder.mkdir()
    contents = {"clean-a": "one", "clean-b": "one", "trojan": "two", "odd": "three"}
    for name, content in contents.items():
        write_model(folder / f"{name}.onnx", content)
    (folder / "pointer.onnx").write_text(POINTER)
    return folder


@pytest.fixture
def model() -> Callable[[Path, str], None]:
    """See ``write_model``."""
    return write_model


@pytest.fixture
def onnxray() -> Run:
    """Run a command line."""
    return lambda *arguments, **extra: CliRunner().invoke(main, arguments, **extra)
