"""Links lead somewhere, pictures can be read, every page can be reached."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, PAGES, ROOT, anchors, links, named

SVG = "{http://www.w3.org/2000/svg}"
PICTURES = sorted(DOCS.glob("pictures/*.svg"))


def target_of(page: Path, target: str) -> tuple[Path, str]:
    path, _, anchor = target.partition("#")
    return ((page.parent / path).resolve() if path else page), anchor


def inside(page: Path) -> list[tuple[Path, str, str]]:
    found = [(target, *target_of(page, target)) for _, _, target in links(page) if "://" not in target]
    return [(path, anchor, target) for target, path, anchor in found]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_resolve(page: Path) -> None:
    assert [target for path, _, target in inside(page) if not path.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_anchors_resolve(page: Path) -> None:
    wanted = [(path, anchor, target) for path, anchor, target in inside(page) if anchor]
    assert [target for path, anchor, target in wanted if anchor not in anchors(path)] == []


def test_every_page_can_be_reached() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        waiting += [path for path, _, _ in inside(page) if path.is_file()]
    assert [named(page) for page in PAGES if page not in seen] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_pictures_say_what_they_show(page: Path) -> None:
    assert [target for picture, text, target in links(page) if picture and len(text) < 20] == []


@pytest.mark.parametrize("picture", PICTURES, ids=named)
def test_a_picture_stands_alone_and_fits_both_themes(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.get("viewBox")
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"(?:href|src|url\()\s*=?\s*[\"']?https?:", text) == []
    assert root.find(f".//{SVG}script") is None


def test_pictures_are_used() -> None:
    used = {path for page in PAGES for path, _, _ in inside(page)}
    assert [named(picture) for picture in PICTURES if picture not in used] == []
