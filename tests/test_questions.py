"""The questions at the end of the notes: each answer's lines give what they say."""

import doctest
import re

import pytest

from tests.helpers import ROOT

NOTES = [name for name in ("clip", "coop", "cocoop", "upt", "fast", "results")
         if "\n## Questions\n" in (ROOT / "notes" / f"{name}.md").read_text(encoding="utf-8")]


def section_of(name):
    """A note's name → its text from the questions on."""
    text = (ROOT / "notes" / f"{name}.md").read_text(encoding="utf-8")
    return text.partition("\n## Questions\n")[2]


@pytest.mark.parametrize("name", NOTES)
def test_every_answers_lines_give_what_they_say(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    case = doctest.DocTestParser().get_doctest(section_of(name), {}, name, None, 0)
    said = []
    options = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    failed, _ = doctest.DocTestRunner(optionflags=options).run(case, out=said.append)
    assert failed == 0, "".join(said)


@pytest.mark.parametrize("name", NOTES)
def test_every_question_has_a_folded_answer_with_lines_to_run(name):
    questions = re.split(r"^\*\*\d+\.\*\* ", section_of(name), flags=re.MULTILINE)[1:]
    assert len(questions) >= 8
    for question in questions:
        assert re.search(r"<details><summary>Answer</summary>\n\n.+?\n\n    >>> .*</details>",
                         question, re.DOTALL), question


def test_all_notes_of_the_papers_have_questions():
    assert NOTES == ["clip", "coop", "cocoop", "upt", "fast", "results"]
