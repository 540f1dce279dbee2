"""Passwords do not leave the program, whatever goes wrong."""

import re
from collections.abc import Iterable

# Up to the last @ of a line: a password that is not spelt as it should be may hold anything. Not the examples of
# our own messages.
_CREDENTIALS = re.compile(r"://(?!user(?::password)?@)[^\n]*@")
_PARAMETER = re.compile(r"(password[\"']?\s*[=:]\s*)(?!\*\*\*)[^\s&,)}]+", re.IGNORECASE)

MASK = "***"


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Mask what may be a password.

    Parameters:
        text: What is about to be shown.
        secrets: The passwords in use; masked where they stand as words of their own.
    """
    text = _PARAMETER.sub(rf"\1{MASK}", _CREDENTIALS.sub(f"://{MASK}@", text))
    for secret in sorted(secrets, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, text)
    return text
