"""Which cells of a submission run; magics and questions to the course are left out, line numbers stay."""

import pytest

from gpucourse.grading.cells import code_of, needed, parsed


def chosen(sources, originals=()):
    return needed([parsed(source) for source in sources], set(originals), sources)


def test_the_courses_own_cells_run_only_where_they_are_built_on():
    course = ["import a", "model = train()", "data = load()", "plot(data)"]
    mine = ["def f(x):\n    return data + x\n\ncheck('01.1', f)"]
    assert chosen(course + mine, course) == [0, 2, 4]


def test_what_a_needed_cell_needs_runs_too_and_inner_names_do_not_count():
    course = ["import a", "raw = a.read()", "def scale():\n    return raw / 2", "x = 1"]
    mine = ["def f(x):\n    raw = x\n    return scale() + raw\n\ncheck('01.1', f)"]
    assert chosen(course + mine, course) == [0, 1, 2, 4]


@pytest.mark.parametrize("change", ["table['a'] = 1", "table.append(2)", "table.size = 3", "del table[0]"])
def test_a_cell_that_changes_a_part_of_what_is_needed_runs(change):
    course = ["import a", "table = []", change]
    assert chosen([*course, "check('01.1', table)"], course) == [0, 1, 2, 3]


def test_without_the_courses_notebooks_all_cells_run():
    assert chosen(["a = 1", "b = 2", "c = 3"]) == [0, 1, 2]


def test_magics_are_left_out_and_lines_stay_where_they_were():
    cell = parsed("%matplotlib inline\nif x:\n    !ls\ncheck('01.1', f)\nhint('01.1')\nraise KeyError(2)")
    assert cell.checks == (("01.1", "f"),) and not cell.error
    with pytest.raises(KeyError) as caught:
        exec(code_of(cell, "cell"), {"x": True})
    assert caught.tb.tb_next.tb_lineno == 6


def test_an_assignment_for_nbgrader_is_checked_by_another_name():
    cell = parsed("from gpucourse import must_pass\n\nmust_pass('01.1', f)")
    assert cell.checks == (("01.1", "f"),)
    exec(code_of(cell, "cell"), {})     # there is no f: it was not asked for


def test_a_cell_that_is_no_python_says_why():
    assert parsed("def (:").error.startswith("SyntaxError")
    assert parsed("x = '\0'").error
