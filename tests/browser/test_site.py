"""The built site in Chromium, on a phone and on a desk, light and dark: nothing sticks out, axe finds nothing serious.

Built by `make site`; without it these tests are skipped. What lies on other sites is not loaded.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HTML = ROOT / "site" / "_build" / "book" / "_build" / "html"
PAGES = ["index.html", *(f"notebooks/{path.stem}.html" for path in sorted((ROOT / "notebooks").glob("*.ipynb")))]
SCREENS = {"phone": (390, 844, "light"), "desk": (1280, 900, "dark")}


@pytest.fixture(scope="module")
def axe_source():
    package = pytest.importorskip("axe_playwright_python", reason="no axe: pip install axe-playwright-python")
    return (Path(package.__file__).parent / "axe.min.js").read_text("utf-8")


@pytest.fixture(params=SCREENS)
def screen(request, chromium):
    if not HTML.exists():
        pytest.skip("the site is not built: make site")
    width, height, scheme = SCREENS[request.param]
    page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.route("http*://**", lambda route: route.abort())
    yield request.param, page
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_has_no_serious_violation(name, screen, axe_source):
    which, page = screen
    page.goto((HTML / name).as_uri())
    (ROOT / "artefacts").mkdir(exist_ok=True)
    page.screenshot(path=ROOT / "artefacts" / f"site-{Path(name).stem}-{which}.png")
    wide, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= room, "the page scrolls sideways"
    page.evaluate(axe_source)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found
            if each["impact"] in ("serious", "critical")] == []  # fmt: skip
