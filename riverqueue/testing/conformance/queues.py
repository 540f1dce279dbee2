# Generated from async_queues.py by tools/generate_sync.py; do not edit.
"""Queues: reading, pausing and resuming them."""

from datetime import timedelta

from riverqueue import Client, NotFoundError, Queue
from riverqueue.rows import QUEUE_COLUMNS
from riverqueue.testing.conformance.expect import raises
from riverqueue.testing.conformance.harness import Harness, fetch
from riverqueue.testing.conformance.sample import STORED_AT, SetClock, stored_queue

_NOW = SetClock().time
_PAUSED_AT = STORED_AT + timedelta(minutes=1)


class Queues(Harness):
    """Queues are read as they are stored, and change as River changes them."""

    def test_get_a_queue(self) -> None:
        metadata = {"text": 'it\'s "5" % of \\ :x $1 é', "nested": {"a": [1, None]}}
        self._store_queues(stored_queue("one", metadata=metadata, paused_at=_PAUSED_AT), stored_queue("two"))
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            one, two = client.queue_get("one", tx=tx), client.queue_get("two", tx=tx)
            with raises(NotFoundError) as caught:
                client.queue_get("it's none", tx=tx)
            assert "it's none" in str(caught.value)
        assert (one.name, one.metadata, one.paused_at) == ("one", metadata, _PAUSED_AT)
        assert (one.created_at, one.updated_at) == (STORED_AT, STORED_AT)
        assert (two.metadata, two.paused_at) == ({}, None)
        assert self._queues() == [one, two]

    def test_list_queues(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            assert Client(driver).queue_list(tx=tx) == []
        self._store_queues(*[stored_queue(name, paused_at=_PAUSED_AT) for name in ("b", "c", "a")])
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            queues = client.queue_list(tx=tx)
            assert client.queue_list(first=2, tx=tx) == queues[:2]
        assert [queue.name for queue in queues] == ["a", "b", "c"]
        assert queues == self._queues()

    def test_pause_a_queue(self) -> None:
        self._store_queues(stored_queue("one"), stored_queue("other"), stored_queue("paused", paused_at=_PAUSED_AT))
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, clock=SetClock())
            client.queue_pause("one", tx=tx)
            client.queue_pause("paused", tx=tx)  # and stays as it was
        assert self._times() == {
            "one": (_NOW, _NOW),
            "other": (None, STORED_AT),
            "paused": (_PAUSED_AT, STORED_AT),
        }

    def test_resume_a_queue(self) -> None:
        paused = [stored_queue(name, paused_at=_PAUSED_AT) for name in ("one", "other")]
        self._store_queues(*paused, stored_queue("resumed"))
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, clock=SetClock())
            client.queue_resume("one", tx=tx)
            client.queue_resume("resumed", tx=tx)  # and stays as it was
        assert self._times() == {
            "one": (None, _NOW),
            "other": (_PAUSED_AT, STORED_AT),
            "resumed": (None, STORED_AT),
        }

    def test_pause_and_resume_all_queues(self) -> None:
        self._store_queues(stored_queue("one"), stored_queue("paused", paused_at=_PAUSED_AT))
        with self.driver() as driver:
            client = Client(driver, clock=SetClock())
            with self.transaction(driver) as tx:
                client.queue_pause("*", tx=tx)
            assert self._times() == {"one": (_NOW, _NOW), "paused": (_PAUSED_AT, STORED_AT)}
            with self.transaction(driver) as tx:
                client.queue_resume("*", tx=tx)
            assert self._times() == {"one": (None, _NOW), "paused": (None, _NOW)}

    def test_an_unknown_queue(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            client.queue_pause("*", tx=tx)  # all of none
            client.queue_resume("*", tx=tx)
            for name in ("none", "%", "**"):
                with raises(NotFoundError):
                    client.queue_pause(name, tx=tx)
                with raises(NotFoundError):
                    client.queue_resume(name, tx=tx)
                with raises(NotFoundError):
                    client.queue_update(name, metadata={}, tx=tx)
            assert client.queue_list(tx=tx) == []  # the transaction remained usable

    def test_update_a_queue(self) -> None:
        self._store_queues(stored_queue("one", metadata={"gone": 1}, paused_at=_PAUSED_AT), stored_queue("other"))
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            [(now,)] = fetch(driver, tx, "SELECT now()")
            same = client.queue_update("one", tx=tx)
            replaced = client.queue_update("one", metadata={"new": ["it's", None]}, tx=tx)
            emptied = client.queue_update("other", metadata={}, tx=tx)
        assert (same.metadata, same.paused_at, same.updated_at) == ({"gone": 1}, _PAUSED_AT, now)
        assert (replaced.metadata, replaced.paused_at, replaced.updated_at) == (
            {"new": ["it's", None]},
            _PAUSED_AT,
            now,
        )
        assert self._queues() == [replaced, emptied]

    def test_queues_of_another_schema(self) -> None:
        self._store_queues(stored_queue("one"))
        self.run_sql('ALTER SCHEMA public RENAME TO "Jobs_2"', "CREATE SCHEMA public")
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver, schema="Jobs_2", clock=SetClock())
            client.queue_pause("one", tx=tx)
            assert (client.queue_get("one", tx=tx)).paused_at == _NOW
            client.queue_resume("*", tx=tx)
            updated = client.queue_update("one", metadata={"a": 1}, tx=tx)
            assert client.queue_list(tx=tx) == [updated]
            assert (updated.paused_at, updated.metadata) == (None, {"a": 1})

    def test_queues_without_tx(self) -> None:
        self._store_queues(stored_queue("one"), stored_queue("two", paused_at=_PAUSED_AT), stored_queue("three"))
        before = self._queues()
        with self.driver() as driver:
            client = Client(driver, clock=SetClock())
            with self.undone(driver):
                client.queue_pause("one")
                client.queue_resume("two")
                client.queue_update("three", metadata={"a": 1})
                after = client.queue_list()
                assert client.queue_get("one") == after[0]
            assert after != before
            # What a bound driver does belongs to the transaction of its handle; others commit at once.
            assert self._queues() == (before if driver.bound else after)

    def _store_queues(self, *queues: dict[str, object]) -> None:
        self.store(*queues, table="river_queue")

    def _queues(self) -> list[Queue]:
        """Return all committed queues by name."""
        return [Queue(row) for row in self.read(f"SELECT {QUEUE_COLUMNS} FROM river_queue ORDER BY name")]  # noqa: S608

    def _times(self) -> dict[str, tuple[object, object]]:
        return {queue.name: (queue.paused_at, queue.updated_at) for queue in self._queues()}
