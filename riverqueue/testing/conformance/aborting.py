"""Aborting: what holds up a thread that listens. There are no async twins of these tests, as tasks are cancelled."""

from riverqueue.testing.conformance.concurrency import finished, start
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.harness import fetch
from riverqueue.testing.conformance.listening import Listening, pid
from riverqueue.testing.conformance.sample import stored


class Aborting(Listening):
    """What a thread does with a listener ends when another aborts it."""

    def test_a_wait_is_aborted(self) -> None:
        with self.listener() as listener:
            process = pid(listener)
            waiting = start(lambda: listener.wait(600))
            listener.abort()
            with raises() as caught:
                finished(waiting)
            assert not isinstance(caught.value, TimeoutError), "it still waits"
            with raises():
                listener.fetch("SELECT 1", ())
        listener.abort()  # too late, which is no matter
        self._until_gone(process)

    def test_a_statement_is_aborted(self) -> None:
        self.store(stored(1000))
        with self.driver() as other, self.listener() as listener:
            process = pid(listener)
            with self.undone(other) as tx:
                fetch(other, tx, "SELECT FROM river_job FOR UPDATE")
                deleting = start(lambda: listener.fetch("DELETE FROM river_job", ()))
                self.until_blocked()
                listener.abort()
                with raises() as caught:
                    finished(deleting)
                assert not isinstance(caught.value, TimeoutError), "it still waits"
            self._until_gone(process)
