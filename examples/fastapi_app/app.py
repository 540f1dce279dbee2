"""Sign-ups: a row for the person and a job for the welcome mail, or neither.

Run it: ``DATABASE_URL=postgresql+psycopg://localhost/app uvicorn --factory examples.fastapi_app.app:create_app``
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from riverqueue import AsyncClient
from riverqueue_sqlalchemy import AsyncDriver

AsyncRiver: TypeAlias = AsyncClient[AsyncSession, AsyncConnection]


class Base(DeclarativeBase):
    """The application's tables."""


class Person(Base):
    """Somebody who signed up."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


@dataclass
class SendWelcome:
    """A job's args: write to a new person."""

    kind: ClassVar[str] = "send_welcome"

    person_id: int


class SignUp(BaseModel):
    """What a request brings."""

    email: str


class SignedUp(BaseModel):
    """What it gets back."""

    person_id: int
    job_id: int


async def session_of(request: Request) -> AsyncIterator[AsyncSession]:
    """Give a request its session."""
    async with request.app.state.sessions() as session:
        yield session


def client_of(request: Request) -> AsyncRiver:
    """Give a request the application's one client."""
    client: AsyncRiver = request.app.state.river
    return client


Db = Annotated[AsyncSession, Depends(session_of)]
River = Annotated[AsyncRiver, Depends(client_of)]


def create_app(database_url: str | None = None) -> FastAPI:
    """Make the application; the database is `database_url` or the variable ``DATABASE_URL``."""
    engine = create_async_engine(database_url or os.environ["DATABASE_URL"])

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    app.state.sessions = async_sessionmaker(engine)
    app.state.river = AsyncClient(AsyncDriver(engine))
    app.add_api_route("/people", sign_up, methods=["POST"], status_code=201)
    return app


async def sign_up(body: SignUp, session: Db, river: River) -> SignedUp:
    """Store a person and insert the job that greets them."""
    try:
        # Here rather than in the dependency, whose end comes when the answer has been sent.
        async with session.begin():
            person = Person(email=body.email)
            session.add(person)
            result = await river.insert(lambda: SendWelcome(person.id), tx=session)
            person_id = person.id
    except IntegrityError:
        raise HTTPException(409, "this address has signed up before") from None
    return SignedUp(person_id=person_id, job_id=result.job.id)
