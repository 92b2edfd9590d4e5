"""Work under way: stopping it, and having it go on in another way."""

from __future__ import annotations

from threading import Thread

import pytest

from virtcim.libhelper.work import Work, WorkCancelledError


def test_a_block_in_another_ends_what_can_be_stopped() -> None:
    work = Work()
    with work.stoppable():
        with work.stoppable(lambda: None):
            assert work.cancel()
        # The call was done already, and counts.
        assert not work.cancel()


def test_what_was_asked_for_before_a_block_counts_in_it() -> None:
    work = Work()

    def run() -> None:
        with work.stoppable():
            assert work.cancel()
            with work.stoppable(lambda: pytest.fail("nothing was to be interrupted")):
                pytest.fail("the block was begun")

    with pytest.raises(WorkCancelledError):
        run()


def test_it_is_stopped_before_it_has_begun() -> None:
    work, other = Work(stoppable=True), Work()
    assert work.cancel()
    assert not other.cancel()
    with pytest.raises(WorkCancelledError), work.stoppable():
        pytest.fail("it was begun")


def test_it_stands_still_before_a_block() -> None:
    work, began = Work(stoppable=True), []

    def run() -> None:
        with work.stoppable(lambda: None):
            began.append(True)

    assert work.suspend()
    thread = Thread(target=run)
    thread.start()
    thread.join(0.1)
    assert began == []
    assert work.resume()
    thread.join(60)
    assert began == [True]


def test_what_it_is_asked_for_is_kept_until_it_is_too_late() -> None:
    work, heard = Work(), []
    assert work.ask("first")
    assert list(work.asked) == ["first"]
    with work.heeding(lambda: heard.append(True)):
        assert work.ask("second")
        assert heard == [True]
        assert [list(work.take_asked()) for _ in range(2)] == [["first", "second"], []]
    assert not work.ask("third")
    assert not work.asked
    over = Work()
    over.release()
    assert not over.ask("anything")


def test_no_figure_is_lost_where_several_tell() -> None:
    work = Work()

    def tell(name: str) -> None:
        for number in range(2000):
            work.tell({f"{name}{number}": number})

    threads = [Thread(target=tell, args=(name,)) for name in "ab"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(work.figures) == 4000
