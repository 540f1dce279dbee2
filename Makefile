# The README's two commands. Each sets up what it needs in .venv, by uv if it is there, else by venv and pip.

.PHONY: demo demo-go test check clean

.venv/.ok: pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		uv venv -q --allow-existing .venv && uv pip install -q --python .venv -e '.[dev]'; \
	else \
		python3 -m venv .venv && .venv/bin/pip install -q --disable-pip-version-check -e '.[dev]'; \
	fi && touch $@

# Insert jobs beside an application's own rows, and work them, on a throw-away PostgreSQL.
demo: .venv/.ok
	@.venv/bin/python -W ignore::DeprecationWarning -m examples.demo

# The same, but let Go's River work the jobs.
demo-go: .venv/.ok
	@.venv/bin/python -W ignore::DeprecationWarning -m examples.demo --go

test: .venv/.ok
	@.venv/bin/python -m pytest -q -n auto

# What CI asks beside the tests.
check: .venv/.ok
	@.venv/bin/nox -s lint types faces floors minimum

clean:
	rm -rf .venv build dist *.egg-info .nox
