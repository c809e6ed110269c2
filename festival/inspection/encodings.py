"""Finds the likely encoding of bytes that are not UTF-8, by the text that each encoding gives.

Windows-1252 reads almost any bytes, and turns "Čoček" into "Èoèek". Text is doubtful if it has what
no language writes: a symbol inside a word, a capital after a small letter, a run of accents.
"""

import codecs
import re
import unicodedata
from collections.abc import Sequence

WESTERN = "cp1252"
_WIDE = ("shift_jis", "euc_jp", "euc_kr", "gb18030", "big5")
_NARROW = ("cp1250", "mac_roman", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1257", "cp850")
_DOUBTFUL = 2
# The first bytes of the characters in everyday words, by encoding.
_COMMON_BYTES = {"gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6), "euc_kr": (0xB0, 0xC8)}
# The letters that Windows-1252 has at Mac Roman's commonest bytes: they are rare in the West.
_RARE = frozenset("šžŸƒþýÞÝð")
_COMMON = frozenset("äöüÄÖÜßéèêëàâçñíóúáåøæÅØÆîïôûùãõčřžšěůýłśźżćńąęőűşğıČŘŽŠŁŚŻȘșȚț")
_WORD = re.compile(rb"[^\s,;\"\x00]+")


def likely_encodings(raw: bytes) -> list[tuple[str, str]]:
    """The codecs that read these bytes better than Windows-1252 does, the likeliest first.

    Each comes with the first word that it reads differently, as it reads it. Empty if the bytes are
    UTF-8, or if Windows-1252 seems right.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return []
    for codec, zeros in (("utf-16-le", raw[1:200:2]), ("utf-16-be", raw[:200:2])):
        if zeros.count(0) > len(zeros) / 2:
            return [(codec, raw.decode(codec, "replace").split(",")[0][:40].strip())]
    if _is_utf8(raw):
        return []
    foreign = [word for word in dict.fromkeys(_WORD.findall(raw)) if not word.isascii()][:500]
    western = _as(foreign, WESTERN)
    before = sum(map(_doubt, western)) + _rare(western) if western else 10 * len(raw)
    if not before:
        return []
    better: list[tuple[float, str, str]] = []
    for codec in (*_WIDE, *_NARROW):
        words = _as(foreign, codec)
        if not words or (codec in _WIDE and not _is_east_asian(words)):
            continue
        doubts = sum(map(_doubt, words))
        if doubts < before and (example := _example(western or foreign, words)):
            better.append((doubts - _likeness(words, codec), codec, example))
    return [(codec, example) for _, codec, example in sorted(better)[:3]]


def _is_utf8(raw: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw)
    except UnicodeDecodeError:
        return False
    return True


def _as(words: Sequence[bytes], codec: str) -> list[str]:
    try:
        return [word.decode(codec) for word in words]
    except UnicodeError:
        return []


def _rare(words: Sequence[str]) -> int:
    return sum(sign in _RARE for word in words for sign in word)


def _doubt(word: str) -> int:
    """How doubtful a word is: the number of places in it that no language writes, with weights."""
    doubts = 0
    for before, sign in zip(" " + word, word, strict=False):
        kind = unicodedata.category(sign)
        if not sign.isascii():
            doubts += _DOUBTFUL * (kind[0] in "SNC" and (before.isalpha() or word.isalpha()))
            doubts += _DOUBTFUL * (kind == "Cc" or kind == "Co")
            doubts += kind == "Lu" and before.islower()
            doubts += kind[0] in "SN" and len(word) > 1
            doubts += kind in ("Pi", "Pf", "Po", "Ps") and before.isalpha() and sign not in "’‘·…”»"
    accents = max(map(len, re.findall(r"[^\W\d_a-zA-Z]+", word)), default=0)
    latin = re.search(r"[A-Za-zÀ-ɏ]", word) is not None
    mixed = latin and re.search(r"[Ͱ-ӿ\u3040-\u9fff\uac00-\ud7a3]", word) is not None
    western = re.search(r"[À-ÿ]", word) is not None
    return doubts + (accents if accents > 2 and western else 0) + _DOUBTFUL * mixed


def _likeness(words: Sequence[str], codec: str) -> float:
    """A small score for characters that are common in the codec's languages."""
    signs = [sign for word in words for sign in word if not sign.isascii()]
    if codec in _WIDE:
        kana = sum("\u3040" <= sign <= "\u30ff" for sign in signs)
        hangul = sum("\uac00" <= sign <= "\ud7a3" for sign in signs)
        own = {"shift_jis": kana, "euc_jp": kana, "euc_kr": hangul}
        return 0.5 + own.get(codec, 0) + _commonness(signs, codec)
    return sum(sign in _COMMON for sign in signs) / max(1, len(signs)) - _NARROW.index(codec) / 100


def _commonness(signs: Sequence[str], codec: str) -> float:
    """The share of characters that are common ones, which an encoding puts before the others."""
    if codec not in _COMMON_BYTES:
        return 0.0
    first, last = _COMMON_BYTES[codec]
    return sum(first <= sign.encode(codec)[0] <= last for sign in signs) / max(1, len(signs))


def _is_east_asian(words: Sequence[str]) -> bool:
    signs = [sign for word in words for sign in word if not sign.isascii()]
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in signs)
    return wide > 1 and wide >= 0.8 * len(signs)


def _example(before: Sequence[str | bytes], after: Sequence[str]) -> str:
    return next((new for old, new in zip(before, after, strict=True) if old != new), "")
