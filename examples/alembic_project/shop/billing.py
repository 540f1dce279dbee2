"""Writes an invoice and inserts the job that sends it: ``python -m shop.billing CUSTOMER AMOUNT``."""

import os
import sys
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from riverqueue import Client
from riverqueue_sqlalchemy import Driver
from shop.models import Invoice


@dataclass
class SendInvoice:
    """A job's args: send one invoice."""

    kind: ClassVar[str] = "send_invoice"

    invoice_id: int


def bill(url: str, customer: str, amount: int) -> None:
    """Write an invoice and insert its job, both or neither."""
    engine = create_engine(url)
    client = Client(Driver(engine))
    with Session(engine) as session, session.begin():
        invoice = Invoice(customer=customer, amount=amount)
        session.add(invoice)
        result = client.insert(lambda: SendInvoice(invoice.id), tx=session)
        print(f"invoice {invoice.id}, job {result.job.id}")
    engine.dispose()


if __name__ == "__main__":
    bill(os.environ["DATABASE_URL"], sys.argv[1], int(sys.argv[2]))
