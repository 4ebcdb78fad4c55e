"""The pages around the lessons: answered rightly each answer is right, and what a cell tries agrees with the answer."""

import nbformat
import pytest

build_notebooks = pytest.importorskip("build_notebooks")
from gpucourse.guide import sheets  # noqa: E402
from lesson_source import ROOT, assemble, page_paths  # noqa: E402

ANSWERED = [path for path in page_paths() if path.stem == "00_start_here" or path.stem.startswith("quiz_part")]


def shown(cell):
    return "\n".join(out.get("text", "") + out.get("data", {}).get("text/plain", "") for out in cell.outputs)


@pytest.mark.parametrize("path", ANSWERED, ids=lambda path: path.stem)
def test_every_answer_of_the_answered_edition_is_right(path):
    notebook = assemble(path, solved=True)
    build_notebooks.execute(notebook)
    said = {cell.source: shown(cell) for cell in notebook.cells if cell.cell_type == "code"}
    answered = {source: text for source, text in said.items() if source.startswith("answer(")}
    assert len(answered) >= 5
    assert {source: text for source, text in answered.items() if ": right.\n" not in text} == {}
    of = len(answered)
    if path.stem == "00_start_here":
        assert said["where_to_begin()"].startswith("Begin with lesson 04")
    else:
        sheet = path.stem.replace("quiz_part_", "part")
        assert f"{of} of {of} right at the first answer" in said[f'result("{sheet}")']


# question -> what the cell below it must print if the right option is right
TRIED = {
    "part1.1": ["20 times: 4.17"],
    "part1.3": ["line B: 0 copies", "line C: 3 copies", "line D: 0 copies"],
    "part1.4": ["45,000 elements: CPU    45,000 ns, GPU    49,500", "50,000 elements: CPU    50,000 ns, GPU    50,000"],
    "part1.5": ["125 with twice the operations", "250 with twice the bytes"],
    "part1.6": ["3 kernels, each reads and writes"],
    "part2.1": ["stride 2, offset 1: 8 sectors", "stride 2, offset 2: 9 sectors"],
    "part2.2": ["tile[32][32]: 32 wave", "tile[32][33]: 1 wave", "tile[33][32]: 32 wave", "tile[32][64]: 32 wave"],
    "part2.3": ["race: line 7: element 31 of `tile`", "wrote it at line 6", "__syncthreads() between the two lines"],
    "part2.4": ["t % 2      at least a third of the lanes idle: True",
                "t < 128    at least a third of the lanes idle: False",
                "t / 32 % 2 at least a third of the lanes idle: False"],
    "part2.5": ["one sum: False"],
    "part2.6": ["134,217,728 floats", "67,108,864 floats"],
    "part2.7": ["300000000", "-1894967299", "2399999997"],
    "part3.1": ["ten layers: straight: True", "with ReLU: straight: False"],
    "part3.2": ["sum: agrees: True", "mean: agrees: False"],
    "part3.3": ["they have moved: True - all alike: True"],
    "part3.4": ["rate 0.11: |w| after 50 steps is larger", "rate 0.09: |w| after 50 steps is smaller"],
    "part3.5": ["moved by [-0.01 -0.01]"],
    "part3.7": ["9.0 times the picture", "the square of 14"],
    "part4.1": ["flatters by more than a tenth: True"],
    "part4.2": ["in more than a quarter of the cases: True"],
    "part4.3": ["0 defects found,  0 false alarms: 99 %", "50 defects found, 50 false alarms: 99 %"],
    "part4.5": ["0.9: 0.0000266"],
    "part4.7": ["computes over the batch: False - the same: True", "computes over the batch: True - the same: False"],
    "part4.8": ["two: 0.23, loss 1.46"],
}  # fmt: skip


@pytest.mark.parametrize("id", TRIED)
def test_what_is_tried_below_a_question_agrees_with_its_answer(id):
    sheet = id.partition(".")[0]
    cells = nbformat.read(ROOT / "notebooks" / f"quiz_{sheet.replace('part', 'part_')}.ipynb", 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    at = next(k for k, cell in enumerate(code) if cell.source == f'answer("{id}", ...)')
    tried = code[at + 1]
    assert not tried.source.startswith(("answer(", "result("))
    assert [words for words in TRIED[id] if words not in shown(tried)] == []


def test_every_cell_that_tries_a_question_is_held():
    for sheet in ("part1", "part2", "part3", "part4"):
        cells = nbformat.read(ROOT / "notebooks" / f"quiz_{sheet.replace('part', 'part_')}.ipynb", 4).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        asked = [question.id for question in sheets.questions(sheet)]
        below = {id: code[code.index(f'answer("{id}", ...)') + 1] for id in asked}
        followed = {id for id, cell in below.items() if not cell.startswith(("answer(", "result("))}
        assert followed == {id for id in TRIED if id.startswith(sheet)}
