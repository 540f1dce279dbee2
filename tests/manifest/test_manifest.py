from collections import Counter

import pytest

from riverqueue.testing.conformance import AsyncDriverConformance, DriverConformance
from tests.manifest.manifest import REASONS, exists, report, subtests, suite_tests


def test_every_test_of_ours_exists() -> None:
    assert [(each.name, test) for each in subtests() for test in each.tests if not exists(test)] == []


@pytest.mark.parametrize(
    "test",
    ["Jobs.test_nothing", "Nothing.test_get_a_job", "tests/nowhere.py::test_up", "tests/manifest/manifest.py::report"],
)
def test_a_test_that_is_none_does_not_exist(test: str) -> None:
    assert not exists(test)


def test_every_subtest_has_tests_or_a_reason() -> None:
    without = [each.name for each in subtests() if not each.tests and each.reason not in REASONS]
    assert without == []


def test_every_reason_is_somebodys() -> None:
    assert {each.reason for each in subtests() if each.reason} == set(REASONS)


def test_the_report_names_all_that_is_not_covered_and_counts_the_rest() -> None:
    lines = list(report())
    missing = [each for each in subtests() if not each.tests]
    assert [line.strip() for line in lines if line.startswith(" " * 8)] == [each.name for each in _by_reason(missing)]
    assert lines[-1] == f"in all: {len(subtests()) - len(missing)} of {len(subtests())} covered"


def _by_reason(missing: list) -> list:
    order = list(dict.fromkeys((each.area, each.reason) for each in missing))
    areas = list(dict.fromkeys(area for area, _ in order))
    return sorted(missing, key=lambda each: (areas.index(each.area), order.index((each.area, each.reason))))


@pytest.mark.parametrize("suite", [AsyncDriverConformance, DriverConformance], ids=["async", "sync"])
def test_no_test_of_the_suite_hides_another(suite: type) -> None:
    names = Counter(test.partition(".")[2] for test in suite_tests(suite))
    assert [name for name, count in names.items() if count > 1] == []


def test_both_suites_ask_the_same_but_for_cancellation() -> None:
    # A task is cancelled; a connection that a thread waits for is aborted.
    asynchronous = {test for test in suite_tests(AsyncDriverConformance) if not test.startswith("Cancellation.")}
    assert asynchronous == {test for test in suite_tests(DriverConformance) if not test.startswith("Aborting.")}
