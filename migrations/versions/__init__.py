"""One Alembic revision for each of River's versions."""
