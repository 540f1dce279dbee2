# Generated from async_transactions.py by tools/generate_sync.py; do not edit.
"""Transactions: the driver's own, and the caller's, which are never touched."""

from collections.abc import Callable
from typing import Any, get_args
from unittest import SkipTest

from riverqueue import (
    Client,
    ConfigurationError,
    JobDeleteManyParams,
    ReadOnlyError,
    TransactionError,
    TransactionOptions,
    UnavailableError,
)
from riverqueue.driver import Driver, Executor, IsolationLevel
from riverqueue.testing.conformance.concurrency import together
from riverqueue.testing.conformance.expect import Undo, raises
from riverqueue.testing.conformance.harness import Harness, fetch
from riverqueue.testing.conformance.sample import SORT, numbered, stored, stored_queue

_TAKEN = "INSERT INTO river_job (args, kind, max_attempts) VALUES ('{}', 'taken', @attempts::smallint)"


class Transactions(Harness):
    """The driver begins, commits and rolls back its own transactions, and nothing of the caller's."""

    def test_begin_commits(self) -> None:
        with self.driver() as driver:
            with driver.begin(TransactionOptions()) as tx:
                Client(driver).insert(SORT, tx=tx)
                assert self.kinds() == []
            assert self.kinds() == ["sort"]

    def test_begin_rolls_back_whatever_leaves_it(self) -> None:
        with self.driver() as driver:
            for error in (Undo(), KeyboardInterrupt()):
                with raises(type(error)) as caught:
                    with driver.begin(TransactionOptions()) as tx:
                        Client(driver).insert(SORT, tx=tx)
                        raise error
                assert caught.value is error
            self._check_usable(driver)
        assert self.kinds() == []

    def test_begin_again_and_again_after_errors(self) -> None:
        # More often than any pool has connections: each must come back, and come back clean.
        with self.driver() as driver:
            for _ in range(20):
                with raises(state="22012"):
                    with driver.begin(TransactionOptions()) as tx:
                        fetch(driver, tx, "SELECT 1 / 0")
            self._check_usable(driver)

    def test_isolation_levels(self) -> None:
        with self._settable() as driver:
            before = self._show(driver, TransactionOptions(), "transaction_isolation")
            for level in get_args(IsolationLevel):
                shown = self._show(driver, TransactionOptions(level), "transaction_isolation")
                assert shown == level.lower() or level == "READ UNCOMMITTED"  # PostgreSQL has three
            assert self._show(driver, TransactionOptions(), "transaction_isolation") == before

    def test_read_only(self) -> None:
        with self._settable() as driver:
            with raises(state="25006"):
                with driver.begin(TransactionOptions(read_only=True)) as tx:
                    Client(driver).insert(SORT, tx=tx)
            assert self._show(driver, TransactionOptions(), "transaction_read_only") == "off"
            assert self._show(driver, TransactionOptions(read_only=False), "transaction_read_only") == "off"

    def test_what_needs_no_writing_can_be_read_only(self) -> None:
        self.store(stored(1))
        self.store(stored_queue("one"), table="river_queue")
        with self._settable() as driver:
            client = Client(driver)
            with driver.begin(TransactionOptions(read_only=True)) as tx:
                assert (client.job_list(tx=tx)).jobs == [client.job_get(1, tx=tx)]
                assert (client.job_count(tx=tx)).total == 1
                assert client.queue_list(tx=tx) == [client.queue_get("one", tx=tx)]
            methods: list[Callable[[Any], Any]] = [
                lambda tx: client.insert(SORT, tx=tx),
                lambda tx: client.job_cancel(1, tx=tx),
                lambda tx: client.job_retry(1, tx=tx),
                lambda tx: client.job_update(1, output=1, tx=tx),
                lambda tx: client.job_delete(1, tx=tx),
                lambda tx: client.job_delete_many(JobDeleteManyParams(ids=[1]), tx=tx),
                lambda tx: client.queue_pause("one", tx=tx),
                lambda tx: client.queue_resume("one", tx=tx),
                lambda tx: client.queue_update("one", tx=tx),
            ]
            for method in methods:
                with raises(ReadOnlyError, state="25006"):
                    with driver.begin(TransactionOptions(read_only=True)) as tx:
                        method(tx)

    def test_deferrable(self) -> None:
        options = TransactionOptions("SERIALIZABLE", read_only=True, deferrable=True)
        with self._settable() as driver:
            for name in ("transaction_read_only", "transaction_deferrable"):
                assert self._show(driver, options, name) == "on"
                assert self._show(driver, TransactionOptions(), name) == "off"

    def test_options_of_a_transaction_that_has_begun(self) -> None:
        with self._settable() as driver, self.undone(driver) as tx:
            if not driver.bound:
                raise SkipTest("every transaction is a new one")
            fetch(driver, tx, "SELECT 1")
            with raises(ConfigurationError):
                with driver.begin(TransactionOptions("SERIALIZABLE")):
                    pass
            fetch(driver, tx, "SELECT 1")

    def test_the_callers_transaction_decides(self) -> None:
        with self.driver() as driver:
            client = Client(driver)
            with self.transaction(driver) as tx:
                client.insert(numbered(1), tx=tx)
                client.insert_many([numbered(2), numbered(3)], tx=tx)
                client.insert_many_fast([numbered(4)], tx=tx)
                assert self.kinds() == []
            assert self.kinds() == ["numbered"] * 4
            with self.undone(driver) as tx:
                client.insert(SORT, tx=tx)
                client.insert_many([SORT], tx=tx)
                client.insert_many_fast([SORT], tx=tx)
            assert self.kinds() == ["numbered"] * 4

    def test_without_tx(self) -> None:
        with self.driver() as driver:
            client = Client(driver)
            with self.undone(driver):
                client.insert(SORT)
                client.insert_many([SORT, SORT])
                client.insert_many_fast([SORT])
            # A bound driver's inserts belong to the transaction of its handle; others commit at once.
            assert self.kinds() == ([] if driver.bound else ["sort"] * 4)

    def test_autocommit_commits_each_statement(self) -> None:
        self.skip_if_bound("statements run in the handle's transaction")
        with self.driver() as driver:
            with driver.autocommit() as executor:
                first, second = self._xid(executor), self._xid(executor)
            assert first != second
            with raises(state="22012"):
                with driver.autocommit() as executor:
                    executor.fetch("SELECT 1 / 0", ())
            with driver.autocommit() as executor:
                with raises(state="22012"):
                    executor.fetch("SELECT 1 / 0", ())
                assert self._xid(executor) > second
            # What it borrowed goes back as it was: a transaction of many statements again.
            with driver.begin(TransactionOptions()) as tx:
                within = driver.unwrap(tx)
                assert self._xid(within) == self._xid(within)

    def test_a_savepoint_keeps_the_transaction_usable(self) -> None:
        with self.driver() as driver:
            with self.transaction(driver) as tx:
                executor = driver.unwrap(tx)
                Client(driver).insert(SORT, tx=tx)
                with raises(state="23514"):
                    with executor.savepoint():
                        Client(driver).insert(numbered(1), tx=tx)
                        fetch(driver, tx, _TAKEN, attempts=-1)
                with raises(Undo):
                    with executor.savepoint():
                        Client(driver).insert(numbered(2), tx=tx)
                        raise Undo
                with executor.savepoint(), executor.savepoint():
                    fetch(driver, tx, _TAKEN, attempts=1)
            assert self.kinds() == ["sort", "taken"]

    def test_savepoint_of_an_insert(self) -> None:
        with self.driver() as driver:
            client = Client(driver)
            self.run_sql("ALTER TABLE river_job ADD CHECK (kind <> 'sort')")
            for insert in (client.insert_many, client.insert_many_fast):
                with self.transaction(driver) as tx:
                    with raises(state="23514"):
                        insert([SORT], tx=tx, savepoint=True)
                    insert([numbered(1)], tx=tx, savepoint=True)
            assert self.kinds() == ["numbered"] * 2

    def test_savepoint_as_a_transactions_first_statement(self) -> None:
        with self.driver() as driver:
            client = Client(driver)
            for _ in range(2):  # the first time the server is asked what it can do
                with self.undone(driver) as tx:
                    client.insert(SORT, tx=tx, savepoint=True)
            assert self.kinds() == []

    def test_without_a_savepoint_an_error_is_the_callers(self) -> None:
        with self.driver() as driver:
            with raises(state="25P02"):
                with self.transaction(driver) as tx:
                    executor = driver.unwrap(tx)
                    Client(driver).insert(SORT, tx=tx)
                    with raises(state="23514"):
                        fetch(driver, tx, _TAKEN, attempts=-1)
                    # Not rolled back behind the caller's back: the transaction is dead, and says so.
                    executor.fetch("SELECT 1", ())
            self._check_usable(driver)
        assert self.kinds() == []

    def test_unwrap_leaves_the_transaction_alone(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            before = self._xid(driver.unwrap(tx))
            Client(driver).insert(SORT, tx=tx)
            assert self._xid(driver.unwrap(tx)) == before

    def test_no_savepoint_is_set_that_was_not_asked_for(self) -> None:
        written_by = "SELECT count(DISTINCT xmin::text), count(*) FROM river_job"  # a savepoint has an id of its own
        with self.driver() as driver, self.transaction(driver) as tx:
            client = Client(driver)
            job, _ = client.insert(SORT, tx=tx)
            client.insert_many([SORT, numbered(1)], tx=tx)
            client.insert_many_fast([SORT], tx=tx)
            client.job_update(job.id, output=1, tx=tx)
            client.job_cancel(job.id, tx=tx)
            assert [tuple(row) for row in fetch(driver, tx, written_by)] == [(1, 4)]
            client.insert(SORT, tx=tx, savepoint=True)
            assert [tuple(row) for row in fetch(driver, tx, written_by)] == [(2, 5)]

    def test_wrong_handles_are_refused(self) -> None:
        with self.driver() as driver, self.refused(driver) as wrong:
            client = Client(driver)
            for tx in [*wrong, object(), "tx", 1]:
                with raises(TransactionError) as caught:
                    client.insert(_never, tx=tx)
                assert str(caught.value).startswith("tx "), caught.value
        assert self.kinds() == []

    def test_an_unreachable_database(self) -> None:
        with self.unreachable() as driver:
            client = Client(driver)
            with raises(UnavailableError):
                client.insert(SORT)
            with raises(UnavailableError):
                client.insert_many_fast([SORT])
            with raises(UnavailableError):
                with client.transaction():
                    pass

    def test_many_at_once_on_one_client(self) -> None:
        self.skip_if_bound("one connection is used by one at a time")
        with self.driver() as driver:
            client = Client(driver)

            def insert_some() -> list[int]:
                ids = []
                for number in range(5):
                    ids.append((client.insert(numbered(number))).job.id)
                    with self.transaction(driver) as tx:
                        ids.append((client.insert(numbered(number), tx=tx)).job.id)
                return ids

            found = together(*[insert_some] * 8)
        assert len({each for ids in found for each in ids}) == 80
        assert len(self.kinds()) == 80

    def _settable(self) -> Any:
        if not self.isolation_levels:
            raise SkipTest("begin cannot do what its options ask")
        return self.driver()

    def _show(self, driver: Driver[Any, Any], options: TransactionOptions, name: str) -> Any:
        with driver.begin(options) as tx:
            return (fetch(driver, tx, "SELECT current_setting(@name::text)", name=name))[0][0]

    def _xid(self, executor: Executor) -> int:
        return int((executor.fetch("SELECT pg_current_xact_id()::text::bigint", ()))[0][0])

    def _check_usable(self, driver: Driver[Any, Any]) -> None:
        with self.transaction(driver) as tx:
            assert (fetch(driver, tx, "SELECT 1"))[0][0] == 1


def _never() -> Any:
    raise AssertionError("the args were evaluated before tx was looked at")
