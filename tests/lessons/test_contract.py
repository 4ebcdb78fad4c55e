"""The one notebook contract (CONTRIBUTING.md), held for every stored notebook: what a file can show without running.

A lesson's name begins with 01 to 19. The other pages, the start page, the quizzes and the capstone, owe all that is
asked of `path`; what only a lesson owes is asked of `lesson`, and what only another page owes of `guide`.
"""

import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from gpucourse.guide import sheets

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if path.name[:2].isdecimal() and path.name[:2] != "00"]
GUIDE = [path for path in NOTEBOOKS if path not in LESSONS]
NOT_COMPARED = {"nbval-ignore-output", "nbval-skip"}
KERNEL_SOURCE = re.compile(r'r?"""(?:(?!""").)*?__global__.*?"""', re.DOTALL)   # CUDA C does not make a cell long


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def cells(path):
    return nbformat.read(path, as_version=4).cells


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return nbformat.read(request.param, as_version=4).cells


@pytest.fixture(params=GUIDE, ids=lambda path: path.stem)
def guide(request):
    return request.param.stem, nbformat.read(request.param, as_version=4).cells


def code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def pictures(cells):
    """Yield (cell, output) for each output that holds an image."""
    for cell in code(cells):
        yield from ((cell, out) for out in cell.outputs if "image/png" in out.get("data", {}))


def count_lines(cell, kernels=False):
    """Lines of a cell that are not blank; those of CUDA C only with `kernels`."""
    source = cell.source if kernels else KERNEL_SOURCE.sub('""', cell.source)
    return sum(bool(line.strip()) for line in source.splitlines())


def test_there_are_lessons():
    assert NOTEBOOKS, "no notebook is stored: run `make notebooks`"


def test_every_cell_was_executed_in_order_and_without_error(cells):
    assert [cell.execution_count for cell in code(cells)] == list(range(1, len(code(cells)) + 1))
    errors = [out.ename for cell in code(cells) for out in cell.outputs if out.output_type == "error"]
    assert errors == []


def test_at_most_a_tenth_of_the_code_cells_go_uncompared_and_none_is_skipped(cells):
    marked = [set(cell.metadata.get("tags", ())) & NOT_COMPARED for cell in code(cells)]
    ignored = sum(map(bool, marked)) + sum("NBVAL_IGNORE_OUTPUT" in cell.source for cell in code(cells))
    assert ignored <= 0.10 * len(code(cells))
    assert not any("nbval-skip" in tags for tags in marked)
    assert not any("NBVAL_SKIP" in cell.source for cell in code(cells))


def test_rhythm_of_the_code(lesson):
    assert statistics.median(count_lines(cell) for cell in code(lesson)) <= 4


def test_no_cell_is_long(cells):
    assert max(count_lines(cell) for cell in code(cells)) <= 25


def words_per_line(cells):
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    return words / sum(count_lines(cell, kernels=True) for cell in code(cells))   # a kernel is what its prose explains


def test_rhythm_of_the_prose(lesson):
    assert 8 <= words_per_line(lesson) <= 20


def test_no_page_is_code_with_few_words(guide):
    assert words_per_line(guide[1]) >= 8


def test_imports_stand_in_the_first_cell(cells):
    statement = re.compile(r"^(?:import|from) \w", re.MULTILINE)
    assert statement.search(code(cells)[0].source)
    assert [cell.source for cell in code(cells)[1:] if statement.search(cell.source)] == []


def test_the_first_cell_serves_colab_and_says_where_the_code_runs(cells):
    first = code(cells)[0].source
    assert 'if "google.colab" in sys.modules:\n    %pip install -q --no-deps "gpucourse @ git+https://' in first
    assert first.endswith("print(where())")
    for theirs in ("torch", "cupy", "numpy"):
        assert not re.search(rf"%pip .*\b{theirs}", first), f"Colab's own {theirs} must stay as it is"


def test_every_picture_has_words_and_they_are_compared(cells):
    for cell, out in pictures(cells):
        alt = out.metadata.get("image/png", {}).get("alt", "")
        assert len(alt.split()) >= 4, f"a picture without alternative text in:\n{cell.source}"
        text = out.data.get("text/plain", "")
        assert text == alt or re.fullmatch(r"<explorer: [^>]+>", text)


def test_pictures_explorers_and_exercises_are_there(lesson):
    source = "\n".join(cell.source for cell in code(lesson))
    shown = [out.data["text/plain"] for _, out in pictures(lesson)]
    assert any(not text.startswith("<explorer") for text in shown), "no picture"
    assert any(text.startswith("<explorer") for text in shown), "no explorer"
    assert 4 <= len(set(re.findall(r'\bcheck\("(\d\d\.\d+)"', source))) <= 7


def test_stored_exercises_are_untouched(cells):
    for cell in code(cells):
        if re.search(r'^check\("', cell.source, re.MULTILINE):
            text = " ".join(out.get("data", {}).get("text/plain", out.get("text", "")) for out in cell.outputs)
            assert "not attempted" in text.lower(), cell.source


def test_nothing_of_one_run_is_stored(path, cells):
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(set(cell.metadata) <= {"tags"} for cell in cells)
    outputs = [out for cell in code(cells) for out in cell.outputs]
    assert not any(out.get("name") == "stderr" for out in outputs)
    assert "widget-view" not in json.dumps(outputs), "model ids are random: the build stores the picture instead"


def test_size(path):
    limit = 3.0e6 if path.name[:2] in ("16", "17") else 1.5e6
    assert path.stat().st_size <= limit


def test_links_resolve(path, cells):
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("#"):
            headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            assert link[1:] in {heading.strip().replace(" ", "-") for heading in headings}, link
        elif "://" in link:
            assert re.fullmatch(r"https://[\w.-]+\.[a-z]{2,}(/[^\s]*)?", link), link
        else:
            assert (path.parent / link.split("#")[0]).exists(), link


def test_markers_around_machine_dependent_text_are_closed(cells):
    for cell in code(cells):
        for out in cell.outputs:
            text = out.get("text", "") + out.get("data", {}).get("text/plain", "")
            assert text.count("⟨") == text.count("⟩"), text


def test_what_a_lesson_teaches_has_its_bones(lesson):
    text = "\n".join(cell.source.lower() for cell in lesson if cell.cell_type == "markdown")
    for bone in ("you will be able to", "minutes", "claim check", "what you learned", "read more"):
        assert bone in text, f"the lesson lacks: {bone}"


def test_there_are_a_start_page_four_quizzes_and_a_capstone():
    assert [path.stem for path in GUIDE] == ["00_start_here", "capstone", *(f"quiz_part_{n}" for n in range(1, 5))]


# stem -> what its text or code must hold, in lower case
BONES = {
    "00_start_here": ("machine()", "predict", "where_to_begin()", "course_map()", "journey()", "hint(", "solution(",
                      "minutes", "my-course", "progress.json", *(f"quiz_part_{n}.ipynb" for n in range(1, 5))),
    "capstone": ("project a", "project b", "project c", "the baseline", "hand in", "pitfalls", "milestones", "rubric()",
                 "good evidence", "points({"),
    "quiz_part": ("minutes", "after", "result(", "section to read again", "## your result"),
}  # fmt: skip


def test_a_page_that_is_no_lesson_has_its_own_bones(guide):
    stem, cells = guide
    text = "\n".join(cell.source.lower() for cell in cells)
    for bone in BONES[re.sub(r"_\d$", "", stem)]:
        assert bone in text, f"{stem} lacks: {bone}"


def test_a_page_that_is_no_lesson_has_no_exercises(guide):
    assert not any(re.search(r'\bcheck\("\d', cell.source) for cell in code(guide[1]))


def test_stored_questions_are_open_and_all_are_asked(guide):
    stem, cells = guide
    asked = [cell for cell in code(cells) if cell.source.startswith("answer(")]
    ids = [re.fullmatch(r'answer\("([\w.]+)", \.\.\.\)', cell.source)[1] for cell in asked]
    sheet = {"00_start_here": "start", "capstone": None}.get(stem, stem.replace("quiz_part_", "part"))
    assert ids == ([question.id for question in sheets.questions(sheet)] if sheet else [])
    for cell in asked:
        assert ["not answered yet" in out.data["text/plain"] for out in cell.outputs] == [True], cell.source
