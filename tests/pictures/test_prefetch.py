import threading
import time

import pytest

from stages.pictures.prefetch import Prefetch


def test_all_items_come_in_their_order():
    assert list(Prefetch(iter(range(100)))) == list(range(100))


def test_the_next_item_is_made_while_one_is_used():
    made = threading.Semaphore(0)

    def items():
        for number in range(3):
            yield number
            made.release()  # asked for the next one

    for _ in Prefetch(items()):
        assert made.acquire(timeout=10)


def test_what_is_late_is_waited_for_and_counted():
    def slow():
        for number in range(4):
            time.sleep(0.05)
            yield number

    prefetch = Prefetch(slow())
    assert list(prefetch) == [0, 1, 2, 3]
    assert prefetch.waited > 0.15
    assert 0.7 < prefetch.share <= 1


def test_what_is_there_in_time_is_not_counted():
    prefetch = Prefetch(iter(range(20)))
    for _ in prefetch:
        time.sleep(0.01)
    assert prefetch.share < 0.2


def test_an_error_reaches_the_one_who_uses_the_items():
    def items():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(Prefetch(items()))


def test_a_reader_that_stops_leaves_no_thread_behind():
    before = threading.active_count()
    items = iter(Prefetch(iter(range(10))))
    next(items)
    items.close()
    assert threading.active_count() == before
