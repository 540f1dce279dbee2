"""${message}"""

from riverqueue_migrations.ladder import Migration
from riverqueue_migrations.revision import apply

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}

MIGRATION = Migration(version=${up_revision.removeprefix("river_").lstrip("0")}, name=${repr(message)}, up=(), down=())


def upgrade() -> None:
    """Say what it does, and what it locks."""
    apply(MIGRATION, "up")


def downgrade() -> None:
    """Say what it does, and what it locks."""
    apply(MIGRATION, "down")
