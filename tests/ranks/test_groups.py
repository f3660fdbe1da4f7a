"""Groups of values that wait for each other, against a model that keeps plain dicts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.ranks import groups as module
from tbasync.ranks.groups import Groups

WORLD = 3
ALL = np.ones(WORLD, bool)


def put(groups, rows, ranks, now=0.0, present=None, values=None):
    """Puts rows of (series, step), each with value 100 * series + step + rank / 8 for every rank."""
    ranks = np.array(ranks, np.intp)
    if values is None:
        values = np.array([[100 * s + step + r / 8 for r in ranks.tolist()] for s, step in rows], float)
    values = np.asarray(values, float).reshape(len(rows), len(ranks))
    series, steps = [row[0] for row in rows], [row[1] for row in rows]
    names = np.array(series, np.intp), np.array(steps, np.int64)
    groups.put(*names, np.arange(len(rows)) + 0.5, ranks, values, present, now)


def take(groups, alive=ALL, now=0.0, everything=False):
    """What is ready: a list of (series, step, {rank: value}, ranks before)."""
    taken = []
    for ready in groups.take(np.asarray(alive, bool), now, everything=everything):
        for row in range(len(ready.steps)):
            ranks = np.flatnonzero(ready.present[row]).tolist()
            values = {rank: float(ready.values[row, rank]) for rank in ranks}
            taken.append((int(ready.series[row]), int(ready.steps[row]), values, int(ready.before[row])))
    return taken


def test_a_group_is_ready_when_all_have_reported():
    """Not before, and only once; in the order in which groups were opened."""
    groups = Groups(WORLD, 0, 10.0)
    put(groups, [(0, 1), (1, 1)], [0])
    put(groups, [(1, 1), (0, 1)], [2])
    assert take(groups) == []
    assert groups.waiting == len(groups) == 2
    put(groups, [(1, 1), (0, 1)], [1])
    expected = [(s, 1, {r: 100 * s + 1 + r / 8 for r in range(WORLD)}, 0) for s in range(2)]
    assert take(groups) == expected
    assert groups.waiting == len(groups) == 0
    assert take(groups, now=100.0, everything=True) == []


@pytest.mark.parametrize("alive", [[True, True, False], [True, False, False]])
def test_a_group_is_ready_without_the_dead(alive):
    """And completed, should one of them report after all."""
    groups = Groups(WORLD, 0, 10.0)
    put(groups, [(0, 1)], [0, 1])
    assert take(groups) == []
    assert take(groups, alive) == [(0, 1, {0: 1.0, 1: 1.125}, 0)]
    put(groups, [(0, 1)], [2])
    assert take(groups, alive) == [(0, 1, {0: 1.0, 1: 1.125, 2: 1.25}, 2)]
    assert len(groups) == 0


def test_a_group_is_ready_after_the_timeout():
    """Counted from its first report; its ranks are then known not to log the series."""
    groups = Groups(WORLD, 0, 10.0)
    put(groups, [(0, 1)], [1], now=5.0)
    put(groups, [(0, 1)], [2], now=14.0)
    assert take(groups, now=14.9) == []
    assert take(groups, now=15.0) == [(0, 1, {1: 1.125, 2: 1.25}, 0)]
    put(groups, [(0, 2)], [1, 2], now=16.0)
    assert len(take(groups, now=16.0)) == 1, "rank 0 is not waited for any more"
    put(groups, [(0, 3)], [0], now=17.0)
    put(groups, [(0, 4)], [1, 2], now=17.0)
    assert take(groups, now=17.0) == [], "it is again, now that it has reported the series"
    assert len(groups) == 4
    assert [row[:2] for row in take(groups, now=100.0)] == [(0, 3), (0, 4)]
    assert len(groups) == 0, "what was written incomplete is not kept for ever"


def test_what_is_flushed_is_written_again_when_it_is_complete():
    """With the number of ranks that it was written with before."""
    groups = Groups(WORLD, 0, 10.0)
    put(groups, [(0, 1)], [0])
    assert take(groups, everything=True) == [(0, 1, {0: 1.0}, 0)]
    assert take(groups, everything=True) == []
    put(groups, [(0, 1)], [1])
    assert take(groups) == []
    put(groups, [(0, 1)], [2])
    assert [row[3] for row in take(groups)] == [1]


def test_wall_times_and_own_values():
    """The own rank's wall time counts where it has reported, and each of its values is told once."""
    groups = Groups(WORLD, 1, 10.0)
    two, one = np.array([1, 2]), np.array([2])
    groups.put(np.array([0, 0]), two, np.array([5.0, 6.0]), np.array([0]), np.zeros((2, 1)), None, 0.0)
    groups.put(np.array([0]), one, np.array([7.0]), np.array([1]), np.zeros((1, 1)), None, 0.0)
    (ready,) = groups.take(ALL, 0.0, everything=True)
    assert ready.wall_times.tolist() == [5.0, 7.0]
    assert ready.own.tolist() == [False, True]
    groups.put(np.array([0, 0]), two, np.array([8.0, 9.0]), np.array([2]), np.zeros((2, 1)), None, 0.0)
    (ready,) = groups.take(ALL, 0.0)
    assert (ready.steps.tolist(), ready.own.tolist()) == ([2], [False])


def test_memory_is_bounded(monkeypatch):
    """When groups take more than they may, the oldest are written as they are, and forgotten."""
    monkeypatch.setattr(module, "_MOST_BYTES", 0)
    groups = Groups(WORLD, 0, 10.0)
    put(groups, [(0, step) for step in range(1024)], [0])
    assert not groups.crowded
    put(groups, [(0, step) for step in range(1024, 1034)], [0])
    assert groups.crowded
    assert [row[1] for row in take(groups)] == list(range(10))
    assert len(groups) == 1024


def test_large_worlds_are_read_in_pieces(monkeypatch):
    """A piece is of a bounded size, whatever the number of ranks and groups."""
    monkeypatch.setattr(module, "_PIECE", 10 * WORLD)
    groups = Groups(WORLD, 0, 10.0)
    put(groups, [(0, step) for step in range(95)], [0, 1])
    put(groups, [(0, step) for step in range(95)], [2])
    pieces = list(groups.take(ALL, 0.0))
    assert [len(piece.steps) for piece in pieces] == [10] * 9 + [5]
    put(groups, [(0, step) for step in range(100, 135)], [0, 1])
    assert len(take(groups, [True, True, False])) == 35


reports = st.tuples(
    st.integers(0, WORLD - 1), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=5)
)


@given(st.lists(reports | st.just("take") | st.just("everything"), max_size=30))
@settings(max_examples=300)
def test_the_nth_reports_meet(actions):
    """Whatever is reported in whatever order, the n-th reports of all ranks make a group, and nothing is lost."""
    groups = Groups(WORLD, 0, 10.0)
    counts = Counter()
    written = {}

    def note(everything):
        for series, step, values, _ in take(groups, everything=everything):
            numbers = set(values.values())
            assert len(numbers) == 1, "all values of a group are the n-th reports"
            written[series, step, numbers.pop()] = set(values)

    for action in actions:
        if isinstance(action, str):
            note(action == "everything")
            continue
        rank, rows = action
        values = []
        for row in rows:
            values.append(counts[rank, row])
            counts[rank, row] += 1
        if rows:
            put(groups, rows, [rank], values=values)
    note(True)
    expected = {}
    for (rank, (series, step)), count in counts.items():
        for nth in range(count):
            expected.setdefault((series, step, float(nth)), set()).add(rank)
    assert written == expected


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=5, unique=True),
            st.integers(1, WORLD),
            st.integers(0, 2**15 - 1),
        ),
        max_size=5,
    )
)
def test_tables_with_masks(tables):
    """Tables of several ranks with gaps give the same groups as their values one by one."""
    whole, single = Groups(WORLD, 0, 10.0), Groups(WORLD, 0, 10.0)
    for rows, ranks, bits in tables:
        present = np.array([bool(bits >> bit & 1) for bit in range(len(rows) * ranks)]).reshape(-1, ranks)
        put(whole, rows, range(ranks), present=present)
        for row, rank in zip(*map(np.ndarray.tolist, np.nonzero(present)), strict=True):
            put(single, [rows[row]], [rank])
    assert by_name(take(whole, everything=True)) == by_name(take(single, everything=True))


def by_name(taken):
    """Groups as a set that does not depend on the order in which they were opened."""
    return sorted((series, step, sorted(values.items())) for series, step, values, _ in taken)
