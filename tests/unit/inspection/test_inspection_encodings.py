"""Encodings are suspected on evidence: what Windows-1252 makes of the bytes is odd."""

import pytest

from festival.inspection.encodings import likely_encodings


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1250", "Čoček,Łódź,Główna"),
        ("cp1250", "Žižkov hřiště"),
        ("mac_roman", "Björk,Sigur Rós,Café Tacvba"),
        ("mac_roman", "Björk"),
        ("shift_jis", "初音ミク,メインステージ"),
        ("cp1251", "Кино,Главная сцена"),
        ("cp1253", "Θεσσαλονίκη"),
        ("euc_kr", "방탄소년단,메인"),
    ],
)
def test_another_encoding_comes_first_with_what_it_reads(codec, text):
    first, reading = likely_encodings(text.encode(codec))[0]
    assert first == codec
    assert reading in text


@pytest.mark.parametrize(
    "text",
    [
        "Beyoncé",
        "Röyksopp RÖYKSOPP MØ Zoé ß",
        "AURÉLIE ÎLE",
        "Œuvre Noël — “Live”",
        "Abba",
    ],
)
def test_western_names_are_left_alone(text):
    assert likely_encodings(text.encode("cp1252")) == []


def test_utf_8_is_no_question_even_if_it_is_cut():
    assert likely_encodings("Čoček".encode()[:-1] + "č".encode()[:1]) == []
