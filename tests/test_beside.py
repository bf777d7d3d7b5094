"""The pages that show each equation beside its code are whole, true, and need nothing else."""

import html
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from PIL import Image

from notes.beside import __main__ as command
from notes.beside.printed import blocks_of, entries
from notes.beside.rows import PAGES, Row
from notes.beside.run import lines_of, text_of, traced
from notes.beside.scenario import perform
from tests.equations.test_prompts import EQUATIONS

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
ALONE = {"meta", "img", "br", "mspace"}  # elements without an end


@pytest.fixture(scope="module")
def printed():
    return {name: command.printed_rows(name) for name in PAGES}


@pytest.fixture(scope="module")
def pages(printed):
    pages = {name: command.method_page(name, rows) for name, rows in printed.items()}
    return {"index": command.index_page(printed), **pages}


def test_every_numbered_equation_has_a_place_and_its_row_shows_the_function_with_its_tag(printed):
    rows = [row for each in printed.values() for row, *_ in each]
    for paper, number in EQUATIONS:
        tag = f"{paper} Eq. ({number})"
        mine = [row for row in rows if re.search(rf"(?<!Co){re.escape(tag)}", row.title)]
        assert mine, f"{tag} is on no page."
        for row in mine:
            assert any(tag in source_of(function) for function, _ in entries(row)), row.title


def source_of(function):
    """A Function → its text in the file, docstring and comments too."""
    last = max(statement.last for statement in function.statements)
    return "\n".join(lines_of(function.file)[function.first - 1 : last])


def test_every_printed_line_is_the_sources(pages):
    count = 0
    for name, page in pages.items():
        pattern = r'class="place">([^<]+):(\d+)</span>|class="n">(\d+)</span><code>(.*?)</code>'
        stack = depths(page)
        for match in re.finditer(pattern, page):
            file = next(f for start, end, f in reversed(stack) if start <= match.start() < end)
            if match[3]:
                text = html.unescape(re.sub("<[^>]+>", "", match[4]))
                assert text == lines_of(file)[int(match[3]) - 1].strip(), (name, file, match[3])
                count += 1
    assert count > 200


def depths(page):
    """A page → (first place, place behind, file) of each call, the outer ones first."""
    found, open_calls, depth = [], [], 0
    for match in re.finditer(r"<div( class=\"call\")?|</div>", page):
        if match[0] == "</div>":
            depth -= 1
            if open_calls and open_calls[-1][1] == depth:
                start, _ = open_calls.pop()
                file = re.compile(r'class="place">([^<]+):\d+<').search(page, start)[1]
                found.append((start, match.start(), file))
        else:
            if match[1]:
                open_calls.append((match.start(), depth))
            depth += 1
    return sorted(found)


def test_a_row_has_few_lines_and_symbols_on_both_sides(printed, pages):
    for name, rows in printed.items():
        for row, anchor, symbols, _, blocks in rows:
            assert symbols, (name, row.title)
            section = re.search(rf'<section id="{anchor}">.*?</section>', pages[name])[0]
            left, right = section.split('<div class="right">')
            for i in range(len(symbols)):
                assert f'"s s{i}"' in left and f'"s s{i}"' in right, (name, row.title, symbols[i])
            assert len(symbols) <= 10  # colours


def test_what_a_line_shows_is_what_the_run_had(printed):
    """CoCoOp's context is one for each picture; CoOp's text tower gets one text for each class."""
    assert seen_in(printed["cocoop"], "CoCoOp.context", "pi").startswith("[2, 128]  ")
    assert seen_in(printed["cocoop"], "CoCoOp.context", "").startswith("[2, 4, 128]  ")
    assert seen_in(printed["coop"], "CoOp.plain_class_weights", "x").startswith("[3, 32, 128]  ")
    assert seen_in(printed["upt"], "UPT.prompts", "U_v").startswith("[4, 4, 128]  ")


def seen_in(rows, function, name):
    """Printed rows → what the first line that assigns this name had."""
    for *_, blocks in rows:
        for block in command.all_blocks(blocks):
            for line in block.lines:
                for found, text in line.seen:
                    if (block.call.function.name, found) == (function, name):
                        return text


def test_what_is_called_stands_below_the_line_that_calls_it(printed):
    row = next(each for each in printed["coop"] if each[0].title == "CoOp Eq. (3)")
    (classify,) = row[-1]
    (number,) = classify.called
    assert "cosines(" in lines_of("prompts/coop.py")[number - 1]
    names = [block.call.function.name for block in classify.called[number]]
    assert names == ["CoOp.class_weights", "cosines"]


class Balance(HTMLParser):
    """Elements that are open."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attributes):
        if tag not in ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_page_is_whole_and_needs_neither_script_nor_network(pages):
    for page in pages.values():
        parser = Balance()
        parser.feed(page)
        assert parser.open == []
        outside = r"<script|<link|@import|url\(|(src|href)=\"(?!data:|#|\w+\.html)"
        assert not re.search(outside, page)


def test_every_link_leads_to_a_place(pages):
    for page in pages.values():
        for target in re.findall(r'href="([^"]+)"', page):
            name, _, anchor = target.partition("#")
            there = pages[name.removesuffix(".html")] if name else page
            assert not anchor or f'id="{anchor}"' in there, target


def test_a_place_that_is_not_there_is_an_error():
    for code, words in (("train.py no_such", "no function"), ("train.py learn", "never called"),
                        ("prompts/coop.py CoOp.classify: no such words", "no such words")):
        row = Row("A row", "", code)
        with pytest.raises(ValueError, match=words):
            functions = {function for function, _ in entries(row)}
            blocks_of(row, perform("coop", {}, functions))
    with pytest.raises(ValueError, match="has no formula"):
        command.formula_of(Row("CoOp Eq. (9)", "", ""))


def test_angle_brackets_of_code_and_values_are_escaped(pages):
    assert "i &lt; len(" in pages["upt"] and "i < len(" not in pages["upt"]
    assert text_of("<b>") == "'<b>'"  # escaped where it is printed
    assert "<b>'" not in pages["coop"]


def test_tracing_ends_with_its_block():
    with traced([]):
        assert sys.gettrace() is not None
    assert sys.gettrace() is None


@pytest.mark.skipif(not BROWSER, reason="no browser is installed")
@pytest.mark.parametrize("width", [390, 1400])
def test_a_browser_shows_a_page_and_nothing_sticks_out(pages, tmp_path, width):
    (tmp_path / "upt.html").write_text(pages["upt"], encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               f"--user-data-dir={tmp_path / 'profile'}",
               f"--window-size={width},3000", f"--screenshot={tmp_path / 'page.png'}"]
    subprocess.run([BROWSER, *options, f"file://{tmp_path / 'upt.html'}"], timeout=120,
                   capture_output=True)
    picture = Image.open(tmp_path / "page.png").convert("RGB")
    assert picture.width == width
    colours = {picture.getpixel((width - 1, y)) for y in range(0, 3000, 7)}
    assert len(colours) == 1  # paper only
    assert len(picture.crop((0, 0, width, 3000)).getcolors(1 << 20)) > 50  # letters and colours


def test_the_command_writes_all_pages(tmp_path, monkeypatch, capsys, pages):
    monkeypatch.setattr(command, "printed_rows", lambda name: [])
    monkeypatch.setattr("sys.argv", ["beside", str(tmp_path / "out")])
    command.main()
    assert {path.stem for path in (tmp_path / "out").glob("*.html")} == pages.keys()
    assert "open" in capsys.readouterr().out
