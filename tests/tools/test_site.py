"""The site without building it: its table of contents, its copies of the pages, its configuration, its link check."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("jupytext")
yaml = pytest.importorskip("yaml")
site_stage = pytest.importorskip("site_stage")
import site_links  # noqa: E402

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path.stem for path in (ROOT / "notebooks" / "src").glob("*.md"))
STORED = [stem for stem in SOURCES if (ROOT / "notebooks" / f"{stem}.ipynb").exists()]
LESSONS = [stem for stem in STORED if stem[:2].isdigit()]


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "source"
    site_stage.stage(folder)
    return folder


def files(toc):
    return [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]


def test_every_notebook_is_in_the_contents_once_and_lessons_are_in_order(staged):
    found = [Path(file).name for file in files(yaml.safe_load((staged / "_toc.yml").read_text()))
             if file.startswith("notebooks/")]  # fmt: skip
    assert sorted(found) == STORED
    assert [stem for stem in found if stem in LESSONS] == LESSONS


def test_every_entry_of_the_contents_is_there_and_every_document_has_one(staged):
    listed = files(yaml.safe_load((staged / "_toc.yml").read_text()))
    assert len(listed) == len(set(listed))
    assert all(any((staged / f"{file}{kind}").exists() for kind in (".md", ".ipynb")) for file in listed)
    docs = {path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert docs <= set(listed)


def test_a_notebook_that_the_table_does_not_know_comes_last():
    table = "| x | [Start](notebooks/00_start.ipynb)\n| | **Part I · A** | | |\n| 01 | [One](notebooks/01_one.ipynb)\n"
    table += "| 02 | Two | planned |\n| | **Part II · B** | | |\n| 03 | [Three](notebooks/03_three.ipynb) |"
    stems = ["00_start", "01_one", "03_three", "quiz"]
    expected = {"": ["00_start"], "Part I · A": ["01_one"], "Part II · B": ["03_three"], "More": ["quiz"]}
    assert site_stage.parts(table, stems) == expected
    assert site_stage.parts(table, ["01_one"]) == {"Part I · A": ["01_one"]}


def test_the_configuration_executes_nothing_and_names_this_repository():
    config = yaml.safe_load((ROOT / "site" / "_config.yml").read_text("utf-8"))
    address = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    assert config["execute"]["execute_notebooks"] == "off"
    theme = config["sphinx"]["config"]["html_theme_options"]
    assert config["repository"]["url"] == theme["repository_url"] == address
    assert {"colab_url", "binderhub_url"} <= set(config["launch_buttons"]) & set(theme["launch_buttons"])


def test_every_picture_of_a_stored_output_has_words_and_every_explorer_says_that_it_stands_still(staged):
    for stem in STORED:
        cells = json.loads((staged / "notebooks" / f"{stem}.ipynb").read_text("utf-8"))["cells"]
        outputs = [out for cell in cells for out in cell.get("outputs", ())]
        pictures = [out for out in outputs if "image/png" in out.get("data", {})]
        assert all(out["metadata"]["image/png"]["alt"].strip() for out in pictures), stem
        explorers = sum("".join(out["data"]["text/plain"]).startswith("<explorer:") for out in pictures)
        assert sum(site_stage.STILL in "".join(cell["source"]) for cell in cells) == explorers, stem


def test_links_to_files_that_are_no_page_lead_to_the_repository():
    text = "[a](02.ipynb) [b](src/x.py#L3) `[c](y.py)` [home](../README.md) [out](https://x.org) ![p](../docs/p.png)"
    known = {"notebooks/02.ipynb", "docs/p.png"}
    found = site_stage.relinked(text, "notebooks", known)
    blob = f"{site_stage.repository()}/blob/main/notebooks/src/x.py#L3"
    assert found == text.replace("src/x.py#L3", blob).replace("../README.md", "../index.md")


def test_links_in_an_output_lead_to_the_pages(staged):
    cells = json.loads((staged / "notebooks" / "00_start_here.ipynb").read_text("utf-8"))["cells"]
    html = "".join("".join(out["data"].get("text/html", "")) for cell in cells for out in cell.get("outputs", ())
                   if "data" in out)  # fmt: skip
    assert '<a href="01_cpu_vs_gpu.html">' in html and '.ipynb">' not in html


@pytest.mark.parametrize("code", [
    "````\n```python\n[c](y.py)\n```\n````", "```` ```python [c](y.py) ````", "`a span over two\nlines, [c](y.py)`",
    "```\n[c](y.py)\n```", "`` ` [c](y.py) ``",
])  # fmt: skip
def test_links_in_code_stay_and_those_behind_it_do_not(code):
    blob = f"{site_stage.repository()}/blob/main/z.py"
    found = site_stage.relinked(f"[b](z.py)\n\n{code}\n\n[d](z.py)", "", set())
    assert found == f"[b]({blob})\n\n{code}\n\n[d]({blob})"


def test_broken_links_inside_the_site_are_found(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text("<a href='sub/a.html#here'>a</a><a href='b.html'>b</a><a href='#x'>x</a>")
    (tmp_path / "sub" / "a.html").write_text("<h1 id='there'>A</h1><img src='../no.png'><a href='../'>up</a>")
    assert site_links.broken_inside(tmp_path) == [
        "index.html: #x: no such place on that page",
        "index.html: b.html: no such page",
        "index.html: sub/a.html#here: no such place on that page",
        "sub/a.html: ../no.png: no such page",
    ]


def test_only_addresses_of_other_sites_are_asked_for(tmp_path):
    links = ("https://a.org/x#y", "b.html", "mailto:c")
    (tmp_path / "index.html").write_text("".join(f"<a href='{link}'>there</a>" for link in links))
    assert site_links.outside(tmp_path) == {"https://a.org/x": "index.html"}
