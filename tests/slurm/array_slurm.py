"""A Slurm that really carries out job arrays, one element after another, with nothing but files.

``sbatch`` gives an array a number and leaves a process behind that works through its elements;
``squeue`` and ``scancel`` know them by files in the folder of the programs: STATE-INDEX, PID, log.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil

FOLDER = Path(__file__).parent


def state_files(job: str) -> dict[int, Path]:
    return {int(p.name.split("_")[1]): p for p in FOLDER.glob(f"{job}_*") if p.name[0].isdigit()}


def sbatch(*arguments: str) -> None:
    script = Path(arguments[-1])
    array = re.search(r"^#SBATCH --array=([0-9,]+)", script.read_text(), re.MULTILINE)
    assert array is not None
    job = str(len(list(FOLDER.glob("*.sbatch"))) + 1)
    (FOLDER / f"{job}.sbatch").write_text(script.read_text())
    for index in array[1].split(","):
        (FOLDER / f"{job}_{index}").write_text("PENDING")
    program = [sys.executable, __file__, "work", job]
    quiet = subprocess.DEVNULL
    subprocess.Popen(program, start_new_session=True, stdout=quiet, stderr=quiet)
    print(job)


def work(job: str) -> None:
    """Works through the elements that nobody has cancelled."""
    (FOLDER / f"worker-{job}").write_text(str(os.getpid()))
    for index, file in sorted(state_files(job).items()):
        if file.read_text() != "PENDING":
            continue
        file.write_text("RUNNING")
        with (FOLDER / "executions").open("a") as executions:
            print(index, file=executions)
        environment = {**os.environ, "SLURM_ARRAY_TASK_ID": str(index)}
        element = subprocess.Popen(["bash", FOLDER / f"{job}.sbatch"], env=environment)
        (FOLDER / "batch-pid").write_text(str(element.pid))
        code = element.wait()
        file.write_text("COMPLETED" if code == 0 else "FAILED")


def squeue(*arguments: str) -> None:
    job = next(word for word in arguments if word.startswith("--jobs=")).removeprefix("--jobs=")
    for index, file in sorted(state_files(job).items()):
        print(f"{index}|{file.read_text()}|None")


def scancel(*arguments: str) -> None:
    job = arguments[-1]
    files = state_files(job).values()
    if "--batch" in arguments:
        if any(file.read_text() == "RUNNING" for file in files):
            os.kill(int((FOLDER / "batch-pid").read_text()), signal.SIGINT)
        return
    for file in files:
        if file.read_text() == "PENDING":
            file.write_text("CANCELLED")
    if "--state=PENDING" not in arguments:
        os.kill(int((FOLDER / "batch-pid").read_text()), signal.SIGKILL)


def end(folder: Path) -> None:
    """Ends what is still at work."""
    for file in folder.glob("worker-*"):
        pid = int(file.read_text())
        if psutil.pid_exists(pid):
            worker = psutil.Process(pid)
            for process in (worker, *worker.children(recursive=True)):
                process.kill()


if __name__ == "__main__":
    name, *rest = sys.argv[1:] if sys.argv[1] == "work" else [Path(sys.argv[1]).name, *sys.argv[2:]]
    {"sbatch": sbatch, "squeue": squeue, "scancel": scancel, "work": work}[name](*rest)
