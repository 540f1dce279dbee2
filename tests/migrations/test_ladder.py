import pytest
from riverqueue_migrations.ladder import migrations, plan_down, plan_up

from riverqueue.errors import ConfigurationError


def numbers(plan):
    return [migration.version for migration in plan]


def test_versions_and_names_are_rivers():
    assert [(m.version, m.name) for m in migrations().values()] == [
        (1, "create river migration"),
        (2, "initial schema"),
        (3, "river job tags non null"),
        (4, "pending and more"),
        (5, "migration unique client"),
        (6, "bulk unique"),
        (7, "notification outbox sqlite jsonb and sql cleanup"),
        (8, "job id autoincrement"),
    ]


@pytest.mark.parametrize(
    ("applied", "version", "plan"),
    [
        ([], None, [1, 2, 3, 4, 5, 6, 7, 8]),
        ([], 3, [1, 2, 3]),
        ([1, 2, 3], 5, [4, 5]),
        ([1, 2, 3, 4, 5], 3, []),  # as Go since 0.48: a target that is applied means nothing to do
        ([1, 2, 4], None, [3, 5, 6, 7, 8]),
        (range(1, 12), None, []),
    ],
)
def test_up(applied, version, plan):
    assert numbers(plan_up(applied, version)) == plan


@pytest.mark.parametrize(
    ("applied", "version", "plan"),
    [
        ([], None, []),
        ([], 0, []),
        ([1, 2, 3], None, [3]),
        ([1, 2, 3], 0, [3, 2, 1]),
        ([1, 2, 3], 1, [3, 2]),
        ([1, 2, 3], 3, []),
        ([*range(1, 9), 9], 7, [8]),  # Go leaves a version it does not know
    ],
)
def test_down(applied, version, plan):
    assert numbers(plan_down(applied, version)) == plan


@pytest.mark.parametrize("version", [-1, 0, 9])
def test_up_to_no_version(version):
    with pytest.raises(ConfigurationError, match=rf"^version {version} is not a valid River migration version; valid"):
        plan_up([], version)


@pytest.mark.parametrize("version", [-1, 9])
def test_down_to_no_version(version):
    with pytest.raises(ConfigurationError, match=r"valid are 1–8, and 0 removes River$"):
        plan_down([], version)


def test_down_to_a_version_that_is_not_applied():
    with pytest.raises(ConfigurationError, match="version 4 is not applied"):
        plan_down([1, 2, 3], 4)


@pytest.mark.parametrize(
    ("version", "up", "down"),
    [
        (1, "INSERT INTO river_migration (version) VALUES (1)", "DROP TABLE river_migration"),
        (4, "INSERT INTO river_migration (version) VALUES (4)", "DELETE FROM river_migration WHERE version = 4"),
        (
            5,
            "INSERT INTO river_migration (line, version) VALUES ('main', 5)",
            "DELETE FROM river_migration WHERE version = 5",
        ),
        (
            8,
            "INSERT INTO river_migration (line, version) VALUES ('main', 8)",
            "DELETE FROM river_migration WHERE line = 'main' AND version = 8",
        ),
    ],
)
def test_the_row_is_kept_as_go_keeps_it(version, up, down):
    assert migrations()[version].statements("up")[-1] == up
    assert migrations()[version].statements("down")[-1] == down


def test_the_schema_is_quoted():
    assert migrations()[8].statements("up", 'a"b') == [
        """INSERT INTO "a""b".river_migration (line, version) VALUES ('main', 8)"""
    ]
