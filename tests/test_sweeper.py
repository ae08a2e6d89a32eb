"""The thread that sweeps now and then."""

import threading

from wellhead.storage.index.sweeper import Sweeper


def test_it_sweeps_again_and_again_until_it_is_stopped() -> None:
    times, enough = [0], threading.Event()

    def sweep() -> None:
        times[0] += 1
        if times[0] == 3:
            enough.set()

    sweeper = Sweeper(sweep, first=0.0, every=0.001)
    assert enough.wait(10)
    sweeper.stop()
    after = times[0]
    assert not any(thread.name == "wellhead-sweep" for thread in threading.enumerate())
    assert times[0] == after


def test_it_can_be_stopped_before_it_begins() -> None:
    def sweep() -> None:
        raise AssertionError("it was stopped")

    Sweeper(sweep, first=60.0).stop()
