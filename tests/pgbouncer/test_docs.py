"""The page about PgBouncer is run through one; tests/docs runs it, like all pages, without."""

from pathlib import Path

import pytest

from tests.docs.fences import ROOT, fences, program

PAGE = ROOT / "docs" / "pgbouncer.md"


def test_the_page(pooled_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    printed = ""
    with program(PAGE, pooled_url) as running:
        for fence in fences(PAGE):
            if fence.language == "python":
                printed = running.run(fence)
            elif fence.language == "output":
                assert printed.strip() == fence.text.strip(), f"{PAGE.name}:{fence.line}"
