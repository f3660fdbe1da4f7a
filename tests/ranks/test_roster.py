"""Who lives, and what of theirs has been read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tbasync.ranks.block import ALIVE, FINISHED, GONE, VALUES, Origin
from tbasync.ranks.roster import Roster


def test_ranks_live_until_they_are_silent_for_too_long():
    """All live at first; a word prolongs that; the own rank is never silent."""
    roster = Roster(3, 0, 10.0, 100.0)
    assert roster.alive(109.9).tolist() == [True, True, True]
    roster.note(Origin(1, 0, ALIVE), 105.0)
    assert roster.alive(110.0).tolist() == [True, True, False]
    assert roster.alive(115.0).tolist() == [True, False, False]
    roster.note(Origin(2, 7, VALUES), 116.0)
    assert roster.alive(116.0).tolist() == [True, False, True]
    assert roster.never_met() == []


def test_ranks_that_have_closed_or_died():
    """They do not live; new values show that they do again, a late sign of life does not."""
    roster = Roster(3, 0, 10.0, 0.0)
    roster.note(Origin(1, 5, FINISHED), 1.0)
    roster.note(Origin(2, 0, GONE), 1.0)
    assert roster.alive(1.0).tolist() == [True, False, False]
    roster.note(Origin(1, 0, ALIVE), 2.0)
    roster.note(Origin(1, 5, FINISHED), 2.0)
    assert roster.alive(2.0).tolist() == [True, False, False]
    roster.note(Origin(1, 6, VALUES), 3.0)
    assert roster.alive(3.0).tolist() == [True, True, False]


def test_a_last_word_that_overtakes_others():
    """Values that a rank sent before it closed do not open it again; those that it sends later do."""
    roster = Roster(2, 0, 10.0, 0.0)
    roster.note(Origin(1, 9, FINISHED), 1.0)
    assert roster.note(Origin(1, 8, VALUES), 1.0)
    assert roster.alive(1.0).tolist() == [True, False]
    roster.note(Origin(1, 10, VALUES), 1.0)
    assert roster.alive(1.0).tolist() == [True, True]
    roster.note(Origin(1, 11, FINISHED), 1.0)
    roster.note(Origin(1, 2**60, VALUES), 1.0)
    assert roster.alive(1.0).tolist() == [True, True], "another process of that rank"


def test_a_death_that_overtakes_values():
    """What a rank had sent before it died is new, but does not bring it to life; another process of it does."""
    roster = Roster(2, 0, 10.0, 0.0)
    roster.note(Origin(1, 5, VALUES), 1.0)
    roster.note(Origin(1, 0, GONE), 1.0)
    assert roster.note(Origin(1, 6, VALUES), 1.0)
    assert roster.alive(1.0).tolist() == [True, False]
    assert roster.note(Origin(1, 2**60, VALUES), 1.0)
    assert roster.alive(1.0).tolist() == [True, True]


def test_who_is_still_busy():
    """A rank that has not reported yet, or lately, may report more; one that is quiet, closed or dead not."""
    roster = Roster(5, 0, 10.0, 0.0)
    roster.note(Origin(1, 1, VALUES), 1.0)
    roster.note(Origin(2, 1, VALUES), 5.0)
    roster.note(Origin(3, 1, FINISHED), 5.0)
    assert roster.busy(5.5, 1.0).tolist() == [False, False, True, False, True]
    assert roster.busy(11.0, 1.0).tolist() == [False, False, False, False, False]


def test_words_of_strangers():
    """Ranks beyond the world, and others that say they are the writing rank, are not listened to."""
    roster = Roster(2, 0, 10.0, 0.0)
    assert not roster.note(Origin(2, 1, VALUES), 0.0)
    assert not roster.note(Origin(0, 1, VALUES), 0.0)
    assert roster.note(Origin(1, 1, VALUES), 0.0)


@given(st.permutations(range(20)), st.lists(st.integers(0, 19)))
def test_each_contribution_is_new_once(order, again):
    """In whatever order contributions come, each is new the first time and never after."""
    roster = Roster(2, 0, 10.0, 0.0)
    start = 2**62
    met = set()
    for serial in [*order, *again]:
        assert roster.note(Origin(1, start + serial, VALUES), 0.0) == (serial not in met)
        met.add(serial)


def test_another_process_of_a_rank_begins_anew():
    """Serial numbers begin at random: those of a rank that was started again are not taken for old ones."""
    roster = Roster(2, 0, 10.0, 0.0)
    for start in (2**61, 5, 2**62):
        assert roster.note(Origin(1, start, VALUES), 0.0)
        assert not roster.note(Origin(1, start, VALUES), 0.0)


def test_what_is_too_old_is_not_read_again():
    """Beyond what is remembered a contribution counts as read."""
    roster = Roster(2, 0, 10.0, 0.0)
    assert roster.note(Origin(1, 1000, VALUES), 0.0)
    assert roster.note(Origin(1, 2000, VALUES), 0.0)
    assert not roster.note(Origin(1, 1001, VALUES), 0.0)
    assert roster.note(Origin(1, 1999, VALUES), 0.0)
