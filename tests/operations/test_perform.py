import logging

import pytest

from riverqueue.perform import Dialect, perform, perform_async
from riverqueue.statement import ask

DIALECT = Dialect("numeric_dollar", None)


class Recorder:
    def __init__(self, answer):
        self.answer = answer
        self.sent = []

    def fetch(self, sql, params):
        self.sent.append((sql, params))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class AsyncRecorder(Recorder):
    async def fetch(self, sql, params):
        return super().fetch(sql, params)


def operation(log):
    try:
        return (yield from ask("MigrationVersion", lambda rows: rows[0][0]))
    except ValueError:
        return "handled"
    finally:
        log.append("closed")


async def test_both_loops_run_an_operation_alike():
    log = []
    assert perform(operation(log), Recorder([[7]]), DIALECT) == 7
    assert await perform_async(operation(log), AsyncRecorder([[7]]), DIALECT) == 7
    assert log == ["closed"] * 2


async def test_errors_carry_the_statements_name_and_can_be_handled():
    log = []
    for error, note in [(KeyError("x"), "while River ran MigrationVersion")]:
        with pytest.raises(KeyError) as caught:
            perform(operation(log), Recorder(error), DIALECT)
        assert caught.value.__notes__ == [note]
    with pytest.raises(KeyError):
        await perform_async(operation(log), AsyncRecorder(KeyError("x")), DIALECT)
    assert perform(operation(log), Recorder(ValueError()), DIALECT) == "handled"
    assert await perform_async(operation(log), AsyncRecorder(ValueError()), DIALECT) == "handled"
    assert log == ["closed"] * 4


def test_statements_are_logged_by_name(caplog):
    with caplog.at_level(logging.DEBUG, "riverqueue.sql"):
        perform(operation([]), Recorder([[7]]), DIALECT)
    assert "MigrationVersion took" in caplog.text
