"""The application's Alembic environment."""

import os

from alembic import context
from riverqueue_migrations.autogenerate import include_name
from shop.models import Base
from sqlalchemy import create_engine

engine = create_engine(os.environ["DATABASE_URL"])
with engine.begin() as connection:
    # include_name keeps autogenerate from proposing to drop River's tables; Alembic 1.18 and later does
    # without it, by River's plugin.
    context.configure(connection=connection, target_metadata=Base.metadata, include_name=include_name)
    context.run_migrations()
engine.dispose()
