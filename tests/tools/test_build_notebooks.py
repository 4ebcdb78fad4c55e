"""The build: what a source becomes, what is refused, what is cleaned away; a hang and a failing cell end it clearly."""

import os
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

pytest.importorskip("jupytext")
import build_notebooks
import lesson_source
from gpucourse.benchmarks import transposes
from gpucourse.benchmarks.rung import Rung

SOURCE = """---
title: "07 · A test"
colab: [numba, "music21>=9"]   # what Colab lacks
---

What this is about.

```python
import numpy as np
from gpucourse import check, where
```

A thought.

<!-- exercise 07.1 -->

Another thought.

```python tags=["nbval-ignore-output"]
print("hello")
```
"""
PROBLEM = SimpleNamespace(
    id="07.1", title="Twice", task="Double it.", spec="`twice(x)` returns 2x.", lines=1, answer="twice",
    stub="def twice(x):\n    return ...\n", solution="def twice(x):\n    return 2 * x\n",
)


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson_source, "find", {"07.1": PROBLEM}.__getitem__)
    path = tmp_path / "07_a_test.md"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def test_the_cells_of_a_source(source):
    cells = lesson_source.assemble(source).cells
    assert [cell.cell_type[0] for cell in cells] == list("mmcmmcmc")
    title, about, first, thought, task, stub, _, last = (cell.source for cell in cells)
    assert title.startswith("# 07 · A test\n\n[![Open in Colab]")
    assert "/blob/main/notebooks/07_a_test.ipynb" in title
    assert (about, thought) == ("What this is about.", "A thought.")
    assert task.startswith("### Exercise 07.1 · Twice\n\nDouble it.\n\n`twice(x)` returns 2x.")
    assert stub == 'def twice(x):\n    return ...\n\ncheck("07.1", twice)'
    assert last == 'print("hello")'
    assert cells[-1].metadata == {"tags": ["nbval-ignore-output"]}
    assert first.splitlines()[2:4] == [
        'if "google.colab" in sys.modules:',
        f'    %pip install -q --no-deps "gpucourse @ git+{lesson_source.repository()}" numba music21>=9',
    ]
    assert first.endswith("from gpucourse import check, where\n\nprint(where())")


def test_the_solved_edition_differs_in_the_answers_only(source):
    plain, solved = (lesson_source.assemble(source, solved).cells for solved in (False, True))
    changed = [(a.source, b.source) for a, b in zip(plain, solved, strict=True) if a.source != b.source]
    stub, answered = (f'def twice(x):\n    return {what}\n\ncheck("07.1", twice)' for what in ("...", "2 * x"))
    assert changed == [(stub, answered)]


def test_changed_text_is_taken_over_beside_the_stored_outputs(source, tmp_path):
    target = tmp_path / "07_a_test.ipynb"
    stored = lesson_source.assemble(source)
    stored.cells[-1].outputs, stored.cells[-1].execution_count = [new_output("stream", text="hello\n")], 3
    nbformat.write(stored, target)
    source.write_text(SOURCE.replace("Another thought.", "A better thought.\n\nAnd one more."), encoding="utf-8")
    assert build_notebooks.take_over_prose(source, target) == 1
    cells = nbformat.read(target, as_version=4).cells
    assert build_notebooks.differences(nbformat.read(target, as_version=4), lesson_source.assemble(source)) == []
    assert (cells[-1].outputs[0].text, cells[-1].execution_count) == ("hello\n", 3)
    assert build_notebooks.take_over_prose(source, target) == 0


def test_changed_code_is_not_taken_over_without_a_build(source, tmp_path):
    target = tmp_path / "07_a_test.ipynb"
    nbformat.write(lesson_source.assemble(source), target)
    before = target.read_bytes()
    source.write_text(SOURCE.replace('print("hello")', 'print("hallo")'), encoding="utf-8")
    with pytest.raises(lesson_source.SourceError, match="its code has changed since 07_a_test"):
        build_notebooks.take_over_prose(source, target)
    assert target.read_bytes() == before


def test_cell_ids_are_the_same_each_time_and_unique(source):
    first, second = ([cell.id for cell in lesson_source.assemble(source).cells] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("no front matter", "must begin with front matter"), ('---\ntitle: "x"\n---\nprose only', "no code fence")],
)
def test_a_broken_source_is_refused_by_name(tmp_path, text, complaint):
    path = tmp_path / "08_broken.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(lesson_source.SourceError, match=f"08_broken.md: .*{complaint}"):
        lesson_source.assemble(path)


def test_an_unknown_lesson_is_named_with_those_there_are():
    with pytest.raises(lesson_source.SourceError, match=r"no source for lesson 77 in .*; there are 01"):
        lesson_source.lesson_paths(["77"])


def test_pages_are_called_by_number_or_name_and_are_no_lessons():
    lessons = [path.stem for path in lesson_source.lesson_paths()]
    assert lessons[0] == "01_cpu_vs_gpu" and all("01" <= stem[:2] <= "19" for stem in lessons)
    pages = {path.stem for path in lesson_source.page_paths()} - set(lessons)
    assert pages == {"00_start_here", "capstone", *(f"quiz_part_{n}" for n in range(1, 5))}
    found = lesson_source.page_paths(["00", "quiz_part_1", "03"])
    assert [path.stem for path in found] == ["00_start_here", "03_first_kernel", "quiz_part_1"]
    with pytest.raises(lesson_source.SourceError, match="no source for lesson 00 in"):
        lesson_source.lesson_paths(["00"])


def test_a_question_becomes_its_text_and_the_cell_that_answers_it(tmp_path):
    path = tmp_path / "quiz.md"
    head = '---\ntitle: "Quiz"\n---\nWhat.\n\n```python\nimport numpy\n```\n\n'
    path.write_text(head + "<!-- question part1.4 -->\n<!-- question part1.1 -->\n", encoding="utf-8")
    *_, text, cell, _, last = lesson_source.assemble(path).cells
    assert text.source.startswith("## Question 4 · From which size on?\n\nA CPU takes 1 ns")
    assert "\n- **c** · from 50,000 on\n" in text.source
    assert (cell.source, last.source) == ('answer("part1.4", ...)', 'answer("part1.1", ...)')
    *_, solved, _, _ = lesson_source.assemble(path, solved=True).cells
    assert solved.source == 'answer("part1.4", "c")'


@pytest.mark.parametrize(("name", "seconds", "peak", "flags"), [
    ("04_memory", 44, 1.4e9, 0), ("04_memory", 46, 1.6e9, 2), ("13_cnn", 89, 0, 0), ("00_start_here", 21, 0, 1),
    ("quiz_part_1", 19, 0.6e9, 1), ("capstone", 19, 0.4e9, 0),
])  # fmt: skip
def test_a_report_marks_what_is_over_the_limits_of_its_kind_of_page(name, seconds, peak, flags):
    assert build_notebooks.Report(name, 10, seconds, int(peak), 1000).line().count("<") == flags


def test_check_finds_an_edit_on_either_side(source):
    fresh, stored = lesson_source.assemble(source), lesson_source.assemble(source)
    assert build_notebooks.differences(stored, fresh) == []
    stored.cells[3].source += "!"
    assert build_notebooks.differences(stored, fresh) == ["cell 3 differs from the source"]
    stored.cells.pop()
    assert build_notebooks.differences(stored, fresh) == ["7 cells are stored, the source has 8"]


def test_clean_leaves_what_is_the_same_in_every_run():
    live = {"text/plain": "<explorer: x>", "image/png": "aGk=", build_notebooks.LIVE_VIEW: {"model_id": "random"}}
    outputs = [
        new_output("stream", name="stdout", text="a"),
        new_output("stream", name="stderr", text="3 of 4"),
        new_output("stream", name="stdout", text="b\n"),
        new_output("execute_result", data=live, execution_count=17),
    ]
    code = new_code_cell("x", outputs=outputs, execution_count=17, metadata={"execution": {"iopub": "12:00"}})
    notebook = new_notebook(cells=[new_markdown_cell("m"), code], metadata={"widgets": {"state": {}}})
    build_notebooks.clean(notebook)
    assert "widgets" not in notebook.metadata
    assert code.metadata == {}
    assert code.execution_count == 1
    assert [out.get("text") for out in code.outputs] == ["ab\n", None]
    assert code.outputs[1].execution_count == 1
    assert set(code.outputs[1].data) == {"text/plain", "image/png"}


def run(*sources):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    return notebook, build_notebooks.execute(notebook)


def test_a_lesson_runs_in_an_empty_folder_with_progress_of_its_own_and_its_memory_is_seen(monkeypatch):
    monkeypatch.setenv("GPUCOURSE_PROGRESS", "/learner/progress.json")
    ask = "import os, time\nprint(os.listdir(), '/learner' in os.environ['GPUCOURSE_PROGRESS'])"
    notebook, (seconds, peak) = run(ask, "held = bytearray(300_000_000); time.sleep(0.5)")
    assert notebook.cells[0].outputs[0].text == "[] False\n"
    assert seconds >= 0.5
    assert 300e6 < peak < 900e6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_memory_that_a_child_has_only_inherited_is_not_counted_twice():
    holding = "import subprocess, sys, time\nheld = bytearray(300_000_000)\ntime.sleep(0.5)\n"
    waiting = "subprocess.run([sys.executable, '-c', 'pass'], preexec_fn=lambda: time.sleep(0.5)).returncode"
    _, (_, peak) = run(holding + waiting)          # between fork and exec for half a second
    assert 300e6 < peak < 600e6


def test_a_failing_cell_writes_nothing_and_is_shown(source, tmp_path, capsys):
    source.write_text(SOURCE.replace('print("hello")', "1 / 0"), encoding="utf-8")
    target = tmp_path / "out.ipynb"
    assert build_notebooks._build_all([source], lambda _: target, solved=False) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert not target.exists()


def test_a_hanging_lesson_is_ended(monkeypatch):
    monkeypatch.setattr(build_notebooks, "LESSON_SECONDS", 3)
    with pytest.raises(RuntimeError, match=r"[Kk]ernel died"):
        run("import time; time.sleep(60)")


def test_a_kernel_of_a_ladder_becomes_a_cell_between_the_texts(source, monkeypatch):
    rung = Rung("half", "half as much", '\nextern "C" __global__ void half(float* x) {}\n')
    monkeypatch.setattr(transposes, "RUNGS", {"half": rung})
    source.write_text(SOURCE.replace("exercise 07.1", "kernel transposes.half"), encoding="utf-8")
    cells = lesson_source.assemble(source).cells
    assert [cell.cell_type[0] for cell in cells] == list("mmcmcmc")
    assert cells[4].source == f'half = cp.RawKernel(r"""{rung.source}""", "half")'
    source.write_text(SOURCE.replace("exercise 07.1", "kernel transposes.third"), encoding="utf-8")
    with pytest.raises(lesson_source.SourceError, match=r"no kernel 'transposes\.third'"):
        lesson_source.assemble(source)


@pytest.mark.parametrize("name", [
    "recurrent_kernels.rnn_forward", "sound_kernels.windowed_frames", "nn.kernels.fused_adam", "softmaxes.kept_row",
    "benchmarks.softmaxes.kept_row"])
def test_kernels_of_ladders_and_of_layers_are_found(name):
    kernel = name.split(".")[-1]
    source = lesson_source.kernel_cell(name).source
    assert source.startswith(f'{kernel} = cp.RawKernel(r"""') and f"void {kernel}(" in source


@pytest.mark.parametrize("name", ["reductionz.modulo", "nn.kernelz.fused_adam", "recurrent_kernels.rnn", "rnn.x",
                                  "no.where.x"])
def test_a_kernel_that_is_nowhere_is_named(name):
    with pytest.raises(lesson_source.SourceError, match=f"there is no kernel '{name}' in gpucourse"):
        lesson_source.kernel_cell(name)


def test_a_function_of_the_package_becomes_a_cell_that_runs(source):
    source.write_text(SOURCE.replace("exercise 07.1", "code nn.losses.softmax"), encoding="utf-8")
    cells = lesson_source.assemble(source).cells
    scope = {"module_of": lambda x: np}
    exec(cells[4].source.replace("Array", "object"), scope)
    assert scope["softmax"](np.zeros((1, 4))).tolist() == [[0.25] * 4]
    source.write_text(SOURCE.replace("exercise 07.1", "code nn.losses.hardmax"), encoding="utf-8")
    with pytest.raises(lesson_source.SourceError, match=r"no 'hardmax' in gpucourse\.nn\.losses"):
        lesson_source.assemble(source)


def test_report_marks_what_is_over_the_limits():
    within = build_notebooks.Report("01_x", 9, 44.0, 1_400_000_000, 1_400_000)
    beyond = build_notebooks.Report("01_x", 9, 46.0, 1_600_000_000, 1_600_000)
    training = build_notebooks.Report("16_x", 9, 89.0, 1_400_000_000, 2_900_000)
    assert [report.line().count("<") for report in (within, beyond, training)] == [0, 3, 0]


def test_a_built_notebook_is_valid_and_complete(source, tmp_path):
    source.write_text(SOURCE.replace("check, where", "where").replace("<!-- exercise 07.1 -->", ""), encoding="utf-8")
    target = tmp_path / "07.ipynb"
    report = build_notebooks.build(source, target)
    stored = nbformat.read(target, as_version=4)
    nbformat.validate(stored)
    assert stored.cells[-1].outputs[0].text == "hello\n"
    assert (report.cells, report.size) == (2, target.stat().st_size)
