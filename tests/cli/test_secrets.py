"""A password is never shown, whatever goes wrong."""

import re
from urllib.parse import quote

import pytest
from sqlalchemy import make_url

from riverqueue.cli.redaction import redacted
from tests.cli.conftest import CommandLine

PASSWORD = "qzx?jvk/wqj@zkv:xq0z jäz%#&=kz"

#: What of it may be shown: nothing of two characters or more.
PIECES = {piece for piece in re.split(r"\W+", PASSWORD) if len(piece) > 1}

RAW = "qzx?jvk/wqj@zkv:xq0z"

COMMANDS = [
    ["jobs", "list"],
    ["migrate-up"],
    ["validate"],
    ["stats"],
    ["insert", "ship", "{}"],
    ["migrate-get", "--all", "--up"],
]

URLS = {
    "no server": f"postgresql://me:{quote(PASSWORD, safe='')}@localhost:1/app",
    "no host": f"postgresql://me:{quote(PASSWORD, safe='')}@nowhere.invalid/app",
    "password in the query": f"postgresql://me@localhost:1/app?password={quote(PASSWORD, safe='')}",
    "not encoded": f"postgresql://me:{RAW}@localhost:1/app",
    "not encoded, with spaces": f"postgresql://me:{PASSWORD}@localhost:1/app",
    "an at sign": "postgresql://me:qzx@wqj@localhost:1/app",
    "a slash": "postgresql://me:jvk/wqj@localhost:1/app",
    "a slash behind a number": "postgresql://me:1/wqj@localhost:1/app",
    "a question mark": "postgresql://me:qzx?jvk@localhost:1/app",
    "an at sign and a question mark": "postgresql://me:qzx@wqj?zkv=xq0z@localhost:1/app",
    "half encoded": "postgresql://me:qzx%zzjvk@localhost:1/app",
    "NUL": "postgresql://me:qzx%00jvk@localhost:1/app",
    "no at sign": "postgresql://me:xq0z/app",
    "brackets": "postgresql://me:qzx[jvk]@localhost:1/app",
    "an open bracket": "postgresql://me:jvk@[localhost:1/app",
    "a port that is none": "postgresql://me:jvk@localhost:port/app",
    "a port too large": "postgresql://me:jvk@localhost:99999/app",
    "an unknown setting": "postgresql://me:jvk@localhost:1/app?nonsense=1",
    "a setting without value": "postgresql://me:jvk@localhost:1/app?wqj",
    "a wrong sslmode": "postgresql://me:jvk@localhost:1/app?sslmode=nonsense",
    "another database": "mysql://me:jvk@localhost/app",
    "an unknown driver": "postgresql+wqj://me:jvk@localhost:1/app",
    "no scheme": "me:jvk@localhost/app",
    "half a scheme": "postgresql:/me:jvk@localhost/app",
    "words of libpq": "host=localhost port=1 user=me password=jvk",
}


def check(output: str, shown: str = "") -> None:
    lowered = output.lower()
    assert not [piece for piece in PIECES - {*re.split(r"\W+", shown)} if piece in lowered], output
    assert quote(PASSWORD, safe="").lower() not in lowered


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("url", URLS.values(), ids=URLS.keys())
def test_every_way_to_fail(cli: CommandLine, command: list[str], url: str):
    visible = "wqj" if "+wqj:" in url else ""
    for words in ([*command, "--database-url", url], ["--debug", *command, "--database-url", url]):
        result = cli.run(*words, env={})
        assert result.exit_code in ((0, 2) if command[0] == "migrate-get" else (2, 3)), result.output
        check(result.output, visible)
        if command[0] != "migrate-get":
            check(cli.run(*words[:-2], env={"DATABASE_URL": url}).output, visible)


@pytest.mark.parametrize(
    "words",
    [
        ["jobs", "list", URLS["not encoded"]],
        ["jobs", "get", URLS["not encoded"]],
        ["jobs", "list", f"--database-ur={URLS['not encoded']}"],
        ["jobs", "list", "--limit", URLS["not encoded"]],
        ["jobs", "list", "--state", URLS["no server"]],
        [URLS["not encoded"]],
        ["--statement-timeout", URLS["not encoded, with spaces"], "stats"],
        ["migrate-up", "--line", URLS["not encoded"]],
        ["stats", "--schema", URLS["no server"]],
        ["jobs", "list", "--after", URLS["not encoded"]],
    ],
)
def test_a_url_in_the_wrong_place(cli: CommandLine, words: list[str]):
    result = cli.run(*words)
    assert result.exit_code == 2
    check(result.output)
    check(cli.run("--debug", *words).output)


def test_a_wrong_password(cli: CommandLine):
    url = make_url(cli.database_url).set(username="nobody_at_all", password=PASSWORD)
    for flags in ([], ["--debug"]):
        result = cli(*flags, "jobs", "list", env={"DATABASE_URL": url.render_as_string(hide_password=False)}, code=3)
        assert "nobody_at_all" in result.stderr
        check(result.output)


def test_a_setting_that_the_server_does_not_know(cli: CommandLine):
    url = make_url(cli.database_url).set(password=PASSWORD).update_query_dict({"nonsense": "1"})
    for flags in ([], ["--debug"]):
        result = cli(*flags, "jobs", "list", env={"DATABASE_URL": url.render_as_string(hide_password=False)}, code=3)
        assert 'unrecognized configuration parameter "nonsense"' in result.stderr
        check(result.output)


def test_what_goes_well(cli: CommandLine):
    url = make_url(cli.database_url).set(password=PASSWORD).render_as_string(hide_password=False)
    for command in (["jobs", "list"], ["migrate-up", "--show-sql"], ["insert", "ship", "{}"], ["validate"], ["stats"]):
        check(cli("--debug", *command, env={"DATABASE_URL": url}).output)


def test_pgpassword(cli: CommandLine):
    env = {"PGHOST": "localhost", "PGPORT": "1", "PGPASSWORD": PASSWORD}
    check(cli("--debug", "jobs", "list", env=env, code=3).output)
    assert redacted(f"wrong: {PASSWORD}!", [PASSWORD]) == "wrong: ***!"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("at postgresql://me:secret@host/app", "at postgresql://***@host/app"),
        ("'postgres://me:a@b@c' is no number", "'postgres://***@c' is no number"),
        ("host=h password=secret user=u", "host=h password=*** user=u"),
        ("{'password': 'secret', 'user': 'u'}", "{'password': ***, 'user': 'u'}"),
        ("postgresql://host?password=secret&x=1", "postgresql://host?password=***&x=1"),
        ("password authentication failed", "password authentication failed"),
        ("like postgresql://user:password@host:5432/database", "like postgresql://user:password@host:5432/database"),
        ("table river_job of river", "table river_job of ***"),
    ],
)
def test_what_is_masked(text: str, masked: str):
    assert redacted(text, ["river"]) == masked
