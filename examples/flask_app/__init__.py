"""A Flask application that inserts jobs in Flask-SQLAlchemy's session."""
