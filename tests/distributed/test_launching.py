"""Launches that go well, fail, hang or are killed, with scripts of a few lines: told clearly, and nothing is left."""

import json
import os
import subprocess
import sys
import time

import pytest

pytest.importorskip("torch")
psutil = pytest.importorskip("psutil")
from gpucourse.distributed.launching import WorkerFailed, launch  # noqa: E402
from gpucourse.errors import CourseError  # noqa: E402

# each process leaves its id in a file
START = """
import os, pathlib, signal, sys, time
rank = int(os.environ["RANK"])
pathlib.Path(sys.argv[1], f"{rank}.pid").write_text(str(os.getpid()))
while len(list(pathlib.Path(sys.argv[1]).glob("*.pid"))) < int(os.environ["WORLD_SIZE"]):
    time.sleep(0.02)
"""
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"   # does not end when it is asked to


@pytest.fixture
def script(tmp_path):
    def written(code):
        path = tmp_path / "worker.py"
        path.write_text(START + code)
        return path

    return written


def running(folder):
    """Which of the processes that have left their ids still run."""
    found = []
    for file in folder.glob("*.pid"):
        try:
            if psutil.Process(int(file.read_text())).status() != psutil.STATUS_ZOMBIE:
                found.append(file.stem)
        except psutil.NoSuchProcess:
            continue
    return found


def test_outputs_come_in_the_order_of_ranks_and_the_environment_tells_the_place(script, tmp_path):
    code = """
names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "OMP_NUM_THREADS", "MASTER_ADDR")
import json
print(json.dumps([os.environ[name] for name in names]), *sys.argv[2:])
print("aside", file=sys.stderr)
"""
    done = launch(2, script(code), tmp_path, "--word", 3, seconds=60)
    for rank, output in enumerate(done.outputs):
        place, _, rest = output.partition("]")
        assert json.loads(place + "]") == [str(rank), str(rank), "2", "2", "1", "127.0.0.1"]
        assert rest == " --word 3\naside\n"
    assert done.seconds > 0
    assert not running(tmp_path)


def test_a_killed_process_ends_the_launch_with_one_clear_error(script, tmp_path):
    code = """
print("at work")
if rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(300)
"""
    began = time.monotonic()
    with pytest.raises(WorkerFailed) as caught:
        launch(2, script(code), tmp_path, seconds=100)
    assert str(caught.value) == (
        "process 1 of 2 was ended by SIGKILL; the others were stopped. It said last: at work")
    assert time.monotonic() - began < 90
    assert not running(tmp_path)


def test_an_exception_is_shown_with_its_last_lines(script, tmp_path):
    code = "if rank == 0: raise ValueError('no such digit: 11')"
    with pytest.raises(WorkerFailed, match=r"(?s)process 0 of 2 ended with status 1.*ValueError: no such digit: 11"):
        launch(2, script(code), tmp_path, seconds=60)


def test_processes_that_hang_are_stopped_when_their_time_is_over(script, tmp_path):
    with pytest.raises(WorkerFailed, match=r"(?s)the 2 processes had not ended after 25 s.*process 1 said last: 1 up"):
        launch(2, script(STUBBORN + "print(rank, 'up'); time.sleep(300)"), tmp_path, seconds=25)
    assert len(list(tmp_path.glob("*.pid"))) == 2, "they had started"
    assert not running(tmp_path)


def test_workers_that_lost_torchrun_are_ended_too(script, tmp_path):
    code = STUBBORN + """
if rank == 0:
    os.kill(os.getppid(), signal.SIGKILL)
time.sleep(300)
"""
    with pytest.raises(WorkerFailed, match="torchrun itself was ended by SIGKILL; all processes were stopped"):
        launch(2, script(code), tmp_path, seconds=100)
    assert len(list(tmp_path.glob("*.pid"))) == 2
    assert not running(tmp_path)


def test_workers_end_when_the_program_that_launched_them_is_killed(script, tmp_path):
    path = script("from gpucourse.distributed import launching\nlaunching.end_with_launcher()\ntime.sleep(300)")
    code = "import sys; from gpucourse.distributed.launching import launch; launch(2, sys.argv[1], sys.argv[2])"
    environment = os.environ | {"TMPDIR": str(tmp_path)}   # a killed launcher cannot delete its folder
    with subprocess.Popen([sys.executable, "-c", code, path, tmp_path], env=environment) as launcher:
        _until(lambda: len(list(tmp_path.glob("*.pid"))) == 2, 60)
        torchrun = psutil.Process(launcher.pid).children()
        launcher.kill()
    _until(lambda: not running(tmp_path), 30)
    psutil.wait_procs(torchrun, timeout=30)
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in torchrun)


def _until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.1)


def test_no_processes_are_refused():
    with pytest.raises(CourseError, match="0 processes; give 1 or more"):
        launch(0, "nothing.py")
