"""What people and catalogs read first can be parsed, and its links lead somewhere."""

import re

import pytest
import yaml

from tests.support import ROOT
from transferability.study.settings import ENGINE_VERSION

PAGES = sorted(
    path
    for pattern in ("*.md", *(f"{name}/**/*.md" for name in ("docs", "config", "benchmarks", "resources")))
    for path in ROOT.glob(pattern)
)


def links(path):
    """The links to other files and headings, outside of code."""
    text = re.sub(r"^    .*$|`[^`]*`(?!\])", "", path.read_text(), flags=re.MULTILINE)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_citation_has_what_the_format_requires():
    """Citation File Format 1.2.0: these keys of the file, and these of each reference."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    for work in (citation, *citation["references"]):
        assert isinstance(work["title"], str)
        assert all(author.keys() in ({"name"}, {"given-names", "family-names"}) for author in work["authors"])
    assert isinstance(citation["message"], str)
    (paper,) = citation["references"]
    assert (paper["type"], paper["year"], paper["authors"][0]["family-names"]) == ("conference-paper", 2014, "Yosinski")


def test_the_license_is_the_one_that_is_cited():
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License\n\nCopyright (c) 2026 the contributors\n")
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["license"] == "MIT"


def test_the_changelog_tells_the_engine_version():
    newest = re.search(r"`ENGINE_VERSION` (\d+)", (ROOT / "CHANGELOG.md").read_text())
    assert int(newest[1]) == ENGINE_VERSION


def test_every_ready_study_is_listed():
    listed = re.findall(r"\]\((\S+\.yaml)\)", (ROOT / "config" / "README.md").read_text())
    assert sorted(set(listed) - {"../config.yaml"}) == sorted(path.name for path in (ROOT / "config").glob("*.yaml"))


def test_the_catalog_finds_what_it_asks_for():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    assert all(type(works) is bool for works in usage["software-stack-deployment"].values())
    assert (ROOT / "workflow" / "Snakefile").is_file()
    assert (ROOT / "config" / "README.md").is_file()
