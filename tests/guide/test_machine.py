"""The machine in a newcomer's words, on the machines that the doctor's tests know."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from fake_system import FakeSystem
from test_examination import ALL_WRITTEN, MACHINES, PAGES

from gpucourse.examination import examine
from gpucourse.guide.machine import lines, machine, numbers


def said(system):
    return "\n".join(lines(examine(system, imports=False)))


@pytest.mark.parametrize(("which", "text"), [
    (["01"], "01"), (["01", "02"], "01 and 02"), (["01", "02", "03"], "01 to 03"),
    (["01", "03", "04", "05", "09"], "01, 03 to 05 and 09"), (["08", "09", "10", "12"], "08 to 10 and 12"),
])  # fmt: skip
def test_numbers_in_words(which, text):
    assert numbers(which) == text


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_has_one_next_step_in_short_lines(name):
    text = said(MACHINES[name]())
    assert text.count("Next step: ") == 1
    assert all(len(line) <= 100 or line.startswith("    ") for line in text.splitlines())


def test_without_a_gpu_nothing_is_missing():
    text = said(FakeSystem(written=ALL_WRITTEN))
    assert "(lessons 01 to 12 and 17) run on the simulator" in text
    assert "(lessons 09 and 11 to 19) runs on the CPU. That is enough." in text
    assert text.endswith("Nothing is missing. Next step: run the next cell.")
    assert "Not in this version" not in text


def test_what_is_missing_is_named_with_its_lessons_and_its_command():
    text = said(FakeSystem(written=ALL_WRITTEN, packages=PAGES))
    assert "Missing for lessons 13 to 15: PyTorch, torchvision." in text
    assert "What you must mend: torch and torchvision are not installed" in text.replace("\n", " ")
    assert "    .venv/bin/python -m pip install " in text or "pip install" in text


def test_it_is_printed_between_the_marks_and_imports_no_torch(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("gpucourse.backend.torch_facts", lambda system: asked.append(system))
    machine(FakeSystem(written=ALL_WRITTEN))
    printed = capsys.readouterr().out
    assert printed.startswith("⟨") and printed.endswith("⟩\n") and asked == []
