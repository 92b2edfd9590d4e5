"""Turns at an image: one at a time, one who waits can stop, and nothing stays of a key."""

from __future__ import annotations

import threading

import pytest

from virtcim.images.turns import Turns
from virtcim.libhelper.work import Work, WorkCancelledError


def test_one_at_a_time_has_a_key() -> None:
    turns, inside, most = Turns(), [], []

    def take_often() -> None:
        for _ in range(50):
            with turns.take("image", Work()):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=take_often) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert most == [1] * 200


def test_who_waits_can_be_stopped_and_nothing_stays() -> None:
    turns, work = Turns(), Work(stoppable=True)
    stopped: list[str] = []

    def wait() -> None:
        try:
            with turns.take("image", work):
                stopped.append("had its turn")
        except WorkCancelledError:
            stopped.append("stopped")

    with turns.take("image", Work()), turns.take("another", Work()):
        waiting = threading.Thread(target=wait)
        waiting.start()
        work.cancel()
        waiting.join()

    assert stopped == ["stopped"]
    assert len(turns) == 0


def test_a_turn_ends_with_an_error() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="broken"), turns.take("image", Work()):
        raise ValueError("broken")

    with turns.take("image", Work()):
        assert len(turns) == 1
