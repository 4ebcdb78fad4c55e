"""Two records of one learner: nothing solved is lost, and the order of joining does not matter."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpucourse.exercises import joining

EARLY, LATE = ({"at": f"2026-01-0{day}T10:00:00Z", "state": state} for day, state in ((1, "raised"), (2, "wrong")))

# ours, theirs, what is known from both
TABLE = [
    ({}, {"attempts": 2}, {"attempts": 2}),
    ({"right": "2026-01-02"}, {}, {"right": "2026-01-02"}),
    ({"attempts": 3}, {"right": "2026-01-02", "attempts": 1}, {"right": "2026-01-02", "attempts": 3}),
    ({"right": "2026-01-03"}, {"right": "2025-12-31"}, {"right": "2025-12-31"}),
    ({"hints": 1, "last": EARLY}, {"hints": 3, "last": LATE}, {"hints": 3, "last": LATE}),
    ({"right": "2026-01-01", "last": EARLY}, {"last": LATE}, {"right": "2026-01-01", "last": LATE}),
    ({"solution": True}, {"attempts": 1}, {"solution": True, "attempts": 1}),
]


@pytest.mark.parametrize(("ours", "theirs", "both"), TABLE)
def test_both_directions(ours, theirs, both):
    assert joining.joined(ours, theirs) == both
    assert joining.joined(theirs, ours) == both


def days(number):
    return f"20{number // 372 % 100:02d}-{number // 31 % 12 + 1:02d}-{number % 28 + 1:02d}"


def entry():
    day = st.integers(0, 37_000).map(days)
    last = st.fixed_dictionaries({"at": day.map("{}T10:00:00Z".format), "state": st.sampled_from(["wrong", "right"])})
    some = {"right": day, "attempts": st.integers(0, 99), "hints": st.integers(0, 3), "solution": st.just(True)}
    return st.fixed_dictionaries({}, optional={**some, "last": last})


@given(entry(), entry(), entry())
def test_order_and_repetition_change_nothing(a, b, c):
    join = joining.joined
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a
    assert join(join(a, b), b) == join(a, b)
    assert ("right" in join(a, b)) == ("right" in a or "right" in b)


def test_neither_record_is_changed():
    ours, theirs = {"01.1": {"attempts": 1}}, {"01.1": {"attempts": 2}, "01.2": {"hints": 1}}
    before = copy.deepcopy(theirs)
    joining.join(ours, theirs)
    assert (ours, theirs) == (before, before)
    joining.join(ours, {"01.2": {"hints": 2}})
    assert theirs == before


def test_ours_keeps_what_this_version_does_not_know_and_mends_what_is_spoiled():
    ours = {"later": [1], "attempts": None, "right": "someday"}
    assert joining.joined(ours, {"attempts": 2, "right": "2026-01-01"}) == {
        "later": [1], "attempts": 2, "right": "2026-01-01"}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [("right", True), ("right", "2026-1-1"), ("right", "2026-02-30"), ("right", 20260101), ("attempts", -1),
     ("attempts", 1.0), ("attempts", True), ("attempts", 10**9), ("hints", 4), ("hints", "2"), ("solution", False),
     ("solution", 1), ("last", "wrong"), ("last", {"at": "2026-01-01T10:00:00Z"}),
     ("last", {"at": "2026-01-01", "state": "wrong"}), ("last", {"at": "2026-01-01T10:00:00Z", "state": "brilliant"}),
     ("last", {"at": "2026-01-01T10:00:00Z", "state": ["wrong"]})],
)  # fmt: skip
def test_what_is_no_value_of_a_field(key, value):
    assert joining.fault(key, value)
    assert joining.known({"01.1": {key: value, "extra": 1}, "x": {"hints": 1}, "01.2": {"hints": 1}}) == {
        "01.2": {"hints": 1}}  # fmt: skip
