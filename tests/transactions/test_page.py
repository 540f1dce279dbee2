"""Each section of the guide has a module of tests here, and each module is a section's."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "transactions.md"


def test_each_section_is_tested() -> None:
    sections = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.M)
    names = {"test_" + re.sub(r"\W+", "_", title.replace("`", "").lower()).strip("_") for title in sections}
    assert names == {module.stem for module in HERE.glob("test_*.py")} - {"test_page"}
