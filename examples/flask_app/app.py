"""Orders: a row for the order and a job for the parcel, or neither.

Run it: ``DATABASE_URL=postgresql+psycopg://localhost/app flask --app examples.flask_app.app run``
"""

import os
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from flask import Blueprint, Flask, current_app, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session

from riverqueue import Client
from riverqueue_sqlalchemy import Driver

River: TypeAlias = Client[scoped_session[Any], Session]


class Base(DeclarativeBase):
    """The application's tables."""


db = SQLAlchemy(model_class=Base)
orders = Blueprint("orders", __name__)


class Order(db.Model):
    """Something somebody bought."""

    __tablename__ = "purchase"

    id: Mapped[int] = mapped_column(primary_key=True)
    article: Mapped[str]
    quantity: Mapped[int]


@dataclass
class SendParcel:
    """A job's args: send what an order says."""

    kind: ClassVar[str] = "send_parcel"

    order_id: int


def river() -> River:
    """Return the application's one client."""
    client: River = current_app.extensions["river"]
    return client


@orders.post("/orders")
def order() -> tuple[dict[str, int], int]:
    """Store an order and insert the job that sends it."""
    new = Order(article=request.json["article"], quantity=request.json["quantity"])
    db.session.add(new)
    result = river().insert(lambda: SendParcel(new.id), tx=db.session)
    if new.quantity < 1:  # late, to show that what was inserted goes with the transaction
        db.session.rollback()
        return {"quantity": new.quantity}, 422
    db.session.commit()
    return {"order_id": new.id, "job_id": result.job.id}, 201


def create_app(database_url: str | None = None) -> Flask:
    """Make the application; the database is `database_url` or the variable ``DATABASE_URL``."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url or os.environ["DATABASE_URL"]
    db.init_app(app)
    app.register_blueprint(orders)
    with app.app_context():  # Flask-SQLAlchemy knows its engines only here
        db.create_all()
        app.extensions["river"] = Client(Driver(db.session))
    return app
