"""The README and the documentation are run; `tests.docs.fences` says how."""

import importlib.util
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import riverqueue_migrations

import riverqueue
import riverqueue_psycopg
import riverqueue_sqlalchemy
from tests.docs.fences import PAGES, ROOT, Fence, commands, fences, program, public_names

DOCS = sorted((ROOT / "docs").glob("*.md"))

#: All fences of all pages that are not run. Raise it only with a reason that a reader would accept.
NOT_RUN = 0


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _everything() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_snippets_run(page: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    printed = ""
    with program(page, database_url) as running:
        for fence in fences(page):
            if fence.not_run:
                continue
            if fence.language == "python":
                printed = running.run(fence)
            elif fence.language == "output":
                assert printed.strip() == fence.text.strip(), f"{page.name}:{fence.line}"


def test_what_is_not_run_is_counted() -> None:
    found = [(page.name, fence.line, fence.not_run) for page in PAGES for fence in fences(page) if fence.not_run]
    assert len(found) == NOT_RUN, found


def test_there_are_snippets() -> None:
    running = [fence for page in PAGES for fence in fences(page) if fence.language == "python"]
    assert len(running) > 30


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=_name)
def test_commands_exist(page: Path) -> None:
    for fence in fences(page):
        if fence.language == "sh" and not fence.not_run:
            for command in commands(fence):
                assert _exists(command), f"{page.name}:{fence.line}: {command}"


def _exists(command: str) -> bool:
    words = command.split()
    match words:
        case ["make", target, *_]:
            return re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M) is not None
        case ["python" | "python3", "-m", module, *_]:
            return importlib.util.find_spec(module) is not None
        case ["python" | "python3", file, *_]:
            return (ROOT / file).exists()
        case ["pip" | "uv", *_]:
            return all(extra in _extras() for extra in re.findall(r"[\w-]+", "".join(_brackets(command))))
        case ["nox", *options]:
            return all(_is_session(word) for word in options if not word.startswith("-"))
        case [("cd" | "export" | "git" | "go" | "psql" | "createdb" | "flask" | "uvicorn"), *_]:
            return True
        case [program, *_]:
            return (Path(sys.executable).parent / program).exists() or shutil.which(program) is not None
    return False


def _brackets(command: str) -> list[str]:
    return [f"{extras} " for extras in re.findall(r"\[([\w, -]+)\]", command) if "sqlalchemy" not in command]


def _extras() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(project["project"]["optional-dependencies"])


def _is_session(word: str) -> bool:
    return re.search(rf"^def {word.partition('-')[0]}\(", (ROOT / "noxfile.py").read_text(), re.M) is not None


@pytest.mark.parametrize(
    "module", [riverqueue, riverqueue_psycopg, riverqueue_sqlalchemy, riverqueue_migrations], ids=lambda m: m.__name__
)
def test_public_names_are_documented(module: object) -> None:
    text = _everything()
    missing = [name for name in public_names(module) if not re.search(rf"\b{name}\b", text)]
    assert not missing


@pytest.mark.parametrize("face", [riverqueue.Client, riverqueue.AsyncClient])
def test_methods_of_a_client_are_documented(face: type) -> None:
    text = _everything()
    methods = [name for name in dir(face) if not name.startswith("_")]
    assert [name for name in methods if not re.search(rf"\b{name}\b", text)] == []


def test_errors_are_explained_on_their_page() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    errors = [
        name
        for name, value in public_names(riverqueue).items()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert [name for name in errors if f"`{name}`" not in page] == []


def test_all_floors_are_drawn() -> None:
    layers = re.search(r"^layers =\n((?: +.*\n)+)", (ROOT / ".importlinter").read_text(), re.M)
    assert layers
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = [re.findall(r"\w+", line.partition("  ")[0]) for line in page[page.index("## Floors") :].splitlines()]
    for floor in layers[1].splitlines():
        assert re.findall(r"riverqueue\.(\w+)", floor) in [*map(sorted, drawn), *drawn], floor


def test_every_page_is_linked_from_the_map() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS if page.name != "index.md" and f"({page.name}" not in index] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"], ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        leads_to = (page.parent / file).resolve() if file else page
        assert leads_to.exists(), target
        if anchor and leads_to.suffix == ".md":
            assert anchor in _anchors(leads_to), target


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_fence_parser_sees_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "a\n\n<!-- not run: a reason -->\n```python\n1 / 0\n```\n\n<!--\n```python\nx = 1\n```\n-->\n"
        "\n- list\n\n  ```python\n  x + 1\n  ```\n"
    )
    assert fences(page) == [
        Fence("python", "1 / 0\n", 5, "a reason"),
        Fence("python", "x = 1\n", 10, None),
        Fence("python", "x + 1\n", 17, None),
    ]
