import re
import subprocess
import sys

import psycopg
import pytest

from riverqueue.sql import quote, render, statements

WHOLE = sorted(name for name in statements() if not name.startswith("_"))
STYLES = ["pyformat", "format", "named", "numeric_dollar"]


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("schema", [None, "public"])
def test_every_statement_prepares_against_the_schema(connection, name, schema):
    duplicate = "old" if connection.info.server_version >= 180_000 else "xmax"
    for mode in (duplicate, "nonce"):
        connection.execute(f"PREPARE one AS {render(name, 'numeric_dollar', schema, mode).sql}")
        connection.execute("DEALLOCATE one")


@pytest.mark.parametrize("name", WHOLE)
def test_every_parameter_is_cast(name):
    text = render(name, "numeric_dollar").sql
    assert re.findall(r"@\w+", text) == []
    assert re.findall(r"\$\d+(?!\d*::)", text) == []


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("style", STYLES)
def test_each_style_binds_the_same_parameters(name, style):
    rendered = render(name, style, "river", "xmax")
    by_name = set(re.findall(r"@(\w+)::", "".join(statements()[part] for part in _parts(name))))
    assert "{" not in re.sub(r"'\{\}'", "", rendered.sql)
    if rendered.names is None:
        marked = set(re.findall(r"%\((\w+)\)s" if style == "pyformat" else r":(?<!::)(\w+)::", rendered.sql))
        assert marked == by_name
    else:
        assert set(rendered.names) == by_name
        assert rendered.bind(dict.fromkeys(by_name, 1)) == (1,) * len(rendered.names)


def _parts(name):
    found = [name]
    for part in re.findall(r"\{(\w+)\}", statements()[name]):
        if part in statements():
            found += _parts(part)
    return found


@pytest.mark.parametrize("name", WHOLE)
def test_a_schema_stands_before_every_name_of_rivers(name):
    text = render(name, "numeric_dollar", "Odd_1").sql
    for found in re.finditer(r"(?<![\w.\"'])river_(job|migration)\b(?!\.)", text):
        before = text[: found.start()]
        assert before.endswith(('"Odd_1".', "AS ")), text[found.start() - 20 : found.end() + 20]


def test_quote_doubles_quotes():
    assert quote('a"b') == '"a""b"'


def test_statements_have_no_comments_left():
    assert not [name for name, text in statements().items() if "--" in text]


def test_statements_are_read_from_an_installed_package():
    code = "from riverqueue.sql import statements; print(len(statements()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(statements())
