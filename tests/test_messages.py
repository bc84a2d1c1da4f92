"""Sentences: the same keys and fields in both languages."""

import re
import string

import pytest

from layout import messages


def fields(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_both_languages_have_the_same_keys_and_fields():
    zh, en = messages.catalogue("zh"), messages.catalogue("en")
    assert sorted(zh) == sorted(en)
    differing = {key: (fields(zh[key]), fields(en[key])) for key in zh if fields(zh[key]) != fields(en[key])}
    assert differing == {}


def test_chinese_is_chinese_and_english_is_english():
    han = re.compile(r"[\u4e00-\u9fff]")
    # quoted Chinese words, such as headings that a planner looks for, stay Chinese in an English sentence
    assert [k for k, s in messages.catalogue("zh").items() if len(s) > 12 and not han.search(s) and "{" not in s] == []
    # the button that switches to the other language is named in that language
    mostly = [k for k, s in messages.catalogue("en").items() if len(han.findall(s)) > 0.5 * len(s) and k != "maps.button.lang"]
    assert mostly == []


def test_every_problem_has_what_and_remedy():
    keys = {k.split(".")[1] for k in messages.catalogue("zh") if k.startswith("problem.") and k.count(".") == 2} - {"place"}
    for key in keys:
        assert {f"problem.{key}.what", f"problem.{key}.remedy"} <= set(messages.catalogue("zh")), key


def test_unknown_language_is_refused():
    with pytest.raises(ValueError, match="lang must be one of zh, en, not 'fr'"):
        messages.catalogue("fr")


def test_missing_field_is_an_error():
    with pytest.raises(KeyError, match="count"):
        messages.text("problem.headline", "zh")
