"""The report of a real study in headless Chromium, offline: all of it is visible, and everything clickable works."""

import csv
import io
import subprocess
import sys

import pytest

from tests.report.browser import DESK, IN_BROWSER, PHONE, Visit

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def study(finished_study, tmp_path_factory):
    project = finished_study.copied(tmp_path_factory.mktemp("study"))
    project.run()  # only the report, whose texts are now elsewhere
    return project


@pytest.fixture
def visit(study, browser):
    return Visit(browser, study.results / "report.html", DESK)


def column(page, table, number):
    return page.eval_on_selector_all(
        f"#table-{table} tbody tr", f"rows => rows.map(row => row.cells[{number}].innerText)"
    )


def test_it_asks_for_nothing_and_complains_of_nothing(visit):
    visit.page.wait_for_load_state("load")
    asked = [address for address in visit.requests if not address.startswith("data:")]
    assert [address.rpartition("/")[2] for address in asked] == ["report.html"]
    assert visit.complaints == []


def test_every_figure_loads(visit):
    visit.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    widths = visit.page.evaluate("Promise.all(Array.from(document.images, i => i.decode().then(() => i.naturalWidth)))")
    # reuse, figure 2, figure 3, effects, parts, learning curves and halves of two splits, filters, contact sheet
    assert len(widths) == 5 + 2 * 2 + 2
    assert min(widths) > 100


def test_tables_sort_by_number_and_back_with_the_mouse_and_the_keyboard(visit):
    headings = visit.page.locator("#table-accuracies th")
    number = headings.all_inner_texts().index("accuracy, %")
    heading = headings.nth(number)
    heading.get_by_role("button").click()
    up = [float(text) for text in column(visit.page, "accuracies", number)]
    assert up == sorted(up)
    assert len(up) == 64
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert [float(text) for text in column(visit.page, "accuracies", number)] == up[::-1]
    headings.first.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") is None
    splits = column(visit.page, "accuracies", 0)
    assert splits == sorted(splits)


def test_rows_stay_whole_when_sorted(visit):
    def rows():
        return visit.page.eval_on_selector_all("#table-effects tbody tr", "rows => rows.map(row => row.innerText)")

    before = rows()
    visit.page.locator("#table-effects th button").last.click()
    assert sorted(rows()) == sorted(before)


def test_a_table_can_be_downloaded(visit, study):
    with visit.page.expect_download() as waiting:
        visit.page.get_by_role("link", name="Download accuracies.csv").click()
    content = waiting.value.path().read_text()
    assert waiting.value.suggested_filename == "accuracies.csv"
    assert content == (study.results / "accuracies.csv").read_text()
    assert len(list(csv.DictReader(io.StringIO(content)))) == 64


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_wider_than_the_screen(study, browser, size):
    page = Visit(browser, study.results / "report.html", size).page
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_figures_keep_the_size_at_which_their_letters_can_be_read_on_a_phone(study, browser):
    page = Visit(browser, study.results / "report.html", PHONE).page
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    shares = page.evaluate(
        "Promise.all(Array.from(document.querySelectorAll('.picture img'), i => i.decode().then("
        "() => [i.clientWidth / i.naturalWidth, getComputedStyle(i.parentElement).overflowX])))"
    )
    assert shares
    assert all(share > 0.5 and overflow == "auto" for share, overflow in shares)


def test_every_link_within_it_leads_somewhere(visit):
    lost = visit.page.evaluate(
        "Array.from(document.querySelectorAll('a[href^=\"#\"]'), a => a.hash.slice(1))"
        ".filter(id => !document.getElementById(id))"
    )
    assert lost == []


def test_what_is_folded_away_is_printed(visit):
    assert visit.page.locator("details[open]").count() == 0
    visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert visit.page.locator("details:not([open])").count() == 0
    visit.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert visit.page.locator("details[open]").count() == 0
    assert visit.page.pdf().startswith(b"%PDF")


def test_a_study_with_gaps_is_told_so_far(study, browser):
    """The study lacks a network, as after a job that failed; none of the study's own files are touched."""
    gone = study.results / "networks" / "random0" / "seed0" / "A7B.metrics.json"
    content = gone.read_bytes()
    gone.unlink()
    try:
        study.run("report_so_far")
        assert not gone.exists()
    finally:
        gone.write_bytes(content)
    visit = Visit(browser, study.results / "so_far" / "report.html", DESK)
    assert "1 of 64 networks is missing" in visit.page.inner_text("[role=alert]")
    assert "random0 seed0 A7B" in visit.page.inner_text("#missing")
    assert visit.complaints == []


def test_snakemakes_own_report_shows_the_same_figures(study, browser):
    """It has captions and categories, and also works offline."""
    path = study.folder / "snakemake.html"
    command = [sys.executable, "-m", "snakemake", "--configfile", "small.yaml", "--report", str(path)]
    subprocess.run(command, cwd=study.folder, check=True, capture_output=True, text=True)
    visit = Visit(browser, path, DESK)
    visit.page.get_by_text("Figures").first.wait_for()
    text = visit.page.inner_text("body")
    assert all(category in text for category in ("Figures", "Tables", "Training", "Data"))
    assert not [address for address in visit.requests if address.startswith("http")]
