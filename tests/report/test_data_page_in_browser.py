"""The page of a data set in headless Chromium: everything it can have fits on the screen."""

import pytest

from tests.report.browser import DESK, IN_BROWSER, PHONE, Visit
from tests.report.support import page_of, photos, save

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with everything on it, and names that cannot be broken."""
    root = photos(tmp_path_factory.mktemp("data") / "photos")
    for i in range(9):
        name = f"{'x' * 120}{i}"
        save(root / "train" / "cat" / f"{name}.png", mode="RGBA").with_suffix(".txt").write_text("fluffy")
        save(root / "train" / "cat" / f"small{name}.png", size=(9, 9), seed=i)
        save(root / "val" / "dog" / f"small{name}.png", size=(9, 9), seed=i)
        (root / "val" / "dog" / f"{name}.png").write_bytes(b"")
    ghost = root / "train" / "cat" / f"{'x' * 120}.gif"
    save(ghost, mode="P", transparency=0)
    path = root.parent / "data.html"
    path.write_text(page_of(root), encoding="utf-8")
    return path


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_wider_than_the_screen(page, browser, size):
    visit = Visit(browser, page, size)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert visit.complaints == []
    values = visit.page.eval_on_selector_all(".facts dd", "all => all.map(one => one.getBoundingClientRect().width)")
    assert len(values) > 8
    assert min(values) > size[0] / 3
