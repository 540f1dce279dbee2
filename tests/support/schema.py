"""River's tables as PostgreSQL's catalogs describe them, as text to compare.

Unlike ``pg_dump -s`` it needs no program of the server's version, and leaves out the schema's name.
"""

import psycopg
from psycopg import sql

_PARTS = {
    "tables": """
        SELECT relname || CASE relpersistence WHEN 'u' THEN ' unlogged' ELSE '' END
        FROM pg_class WHERE relkind = 'r' AND {river}""",
    "columns": """
        SELECT format('%s %s %s: %s%s%s', relname, lpad(place::text, 2, '0'), attname, type,
                      CASE WHEN attnotnull THEN ' not null' ELSE '' END, ' default ' || value)
        FROM (SELECT relname, attname, attnotnull, format_type(atttypid, atttypmod) AS type,
                     row_number() OVER (PARTITION BY attrelid ORDER BY attnum) AS place,
                     pg_get_expr(adbin, adrelid) AS value
              FROM pg_attribute
              JOIN pg_class ON pg_class.oid = attrelid
              LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
              WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped AND {river}) AS columns""",
    # PostgreSQL 18 has a constraint of type n for each NOT NULL, which the columns show already.
    "constraints": """
        SELECT format('%s %s: %s', relname, conname, pg_get_constraintdef(pg_constraint.oid))
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid WHERE contype <> 'n' AND {river}""",
    "indexes": """
        SELECT pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END
        FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE {river}""",
    "sequences": """
        SELECT format('%s: %s', relname, format_type(seqtypid, NULL))
        FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid WHERE {river}""",
    "types": """
        SELECT format('%s: %s', typname, string_agg(enumlabel, ', ' ORDER BY enumsortorder))
        FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid
        WHERE typnamespace = to_regnamespace({name}) AND typname LIKE 'river\\_%' GROUP BY typname""",
    "functions": """
        SELECT pg_get_functiondef(oid)
        FROM pg_proc WHERE pronamespace = to_regnamespace({name}) AND proname LIKE 'river\\_%'""",
    "triggers": """
        SELECT pg_get_triggerdef(pg_trigger.oid)
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal AND {river}""",
}
_RIVER = "relnamespace = to_regnamespace({name}) AND relname LIKE 'river\\_%'"


def describe(connection: psycopg.Connection, schema: str = "public") -> str:
    """Return everything of River's in a schema, one line or definition each, in a fixed order."""
    quoted = _quoted(connection, schema)
    parts = [_part(connection, title, query, quoted) for title, query in _PARTS.items()]
    return "\n".join(parts).replace(f"{quoted}.", "") + "\n"


def migration_rows(connection: psycopg.Connection, schema: str = "public") -> list[tuple[str, int]]:
    """Return the rows of ``river_migration`` as line and version; below version 5 the line is main."""
    quoted = _quoted(connection, schema)
    row = connection.execute("SELECT to_regclass(%s)", [f"{quoted}.river_migration"]).fetchone()
    if row == (None,):
        return []
    query = sql.SQL("SELECT coalesce(to_jsonb(m) ->> 'line', 'main'), version FROM {} AS m ORDER BY 1, 2")
    return connection.execute(query.format(sql.Identifier(schema, "river_migration"))).fetchall()


def _quoted(connection: psycopg.Connection, schema: str) -> str:
    row = connection.execute("SELECT quote_ident(%s)", [schema]).fetchone()
    assert row
    return str(row[0])


def _part(connection: psycopg.Connection, title: str, query: str, quoted: str) -> str:
    name = sql.Literal(quoted).as_string(connection)
    text = query.replace("{river}", _RIVER).replace("{name}", name)
    lines = sorted(str(row[0]) for row in connection.execute(text.encode()))
    return "\n".join([f"-- {title}", *lines])
