"""Months and weekdays as lineups write them, in the languages of many European festivals."""

import unicodedata

_MONTHS = (
    "january januar jänner januari janvier enero gennaio janeiro styczeń stycznia leden ledna",
    "february februar feber februari février febrero febbraio fevereiro luty lutego únor února",
    "march märz maart marts mars marzo março marzec marca březen března",
    "april avril abril aprile kwiecień kwietnia duben dubna",
    "may mai mei maj mayo maggio maio maja květen května",
    "june juni juin junio giugno junho czerwiec czerwca",
    "july juli juillet julio luglio julho lipiec lipca",
    "august augustus augusti août agosto sierpień sierpnia srpen srpna",
    "september septembre septiembre settembre setembro wrzesień września",
    "october oktober octobre octubre ottobre outubro październik października říjen října",
    "november novembre noviembre novembro listopad listopada listopadu",
    "december dezember desember décembre diciembre dicembre dezembro grudzień grudnia prosinec",
)
# Names whose beginnings are another month's name: they are only known whole.
_WHOLE_MONTHS = (
    "tammikuu tammikuuta",
    "helmikuu helmikuuta",
    "maaliskuu maaliskuuta",
    "huhtikuu huhtikuuta",
    "toukokuu toukokuuta",
    "kesäkuu kesäkuuta červen června",
    "heinäkuu heinäkuuta červenec července",
    "elokuu elokuuta",
    "syyskuu syyskuuta září",
    "lokakuu lokakuuta",
    "marraskuu marraskuuta",
    "joulukuu joulukuuta prosince",
)
_WEEKDAYS = (
    "monday montag lundi lunes lunedì segunda maandag mandag måndag maanantai poniedziałek pondělí",
    "tuesday dienstag mardi martes martedì terça dinsdag tirsdag tisdag tiistai wtorek úterý",
    "wednesday mittwoch mercredi miércoles mercoledì quarta woensdag onsdag keskiviikko środa "
    "středa",
    "thursday donnerstag jeudi jueves giovedì quinta donderdag torsdag torstai czwartek čtvrtek",
    "friday freitag vendredi viernes venerdì sexta vrijdag fredag perjantai piątek pátek",
    "saturday samstag samedi sábado sabato zaterdag lørdag lördag lauantai sobota",
    "sunday sonntag dimanche domingo domenica zondag søndag söndag sunnuntai niedziela neděle",
)
_WHOLE_WEEKDAYS = ("mo ma", "tu di", "we mi wo", "th do", "fr vr", "sa za sonnabend", "su so zo")
_SHORTEST = 3
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "ß": "ss"})


def months(word: str) -> frozenset[int]:
    """The months, January being 1, that a word may be: a name or at least 3 letters of it."""
    return frozenset(at + 1 for at in _meant(word, _MONTH_NAMES, _WHOLE_MONTH_NAMES))


def weekdays(word: str) -> frozenset[int]:
    """The weekdays, Monday being 0, that a word may be: a name or the beginning of one."""
    return _meant(word, _WEEKDAY_NAMES, _WHOLE_WEEKDAY_NAMES)


def _meant(
    word: str, names: tuple[frozenset[str], ...], whole: tuple[frozenset[str], ...]
) -> frozenset[int]:
    letters = _folded(word)
    exact = [at for at, each in enumerate(names) if letters in each or letters in whole[at]]
    if exact or len(letters) < _SHORTEST:
        return frozenset(exact)
    return frozenset(
        at for at, each in enumerate(names) if any(name.startswith(letters) for name in each)
    )


def _folded(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word.casefold().translate(_LETTERS))
    return "".join(letter for letter in letters if letter.isalpha())


def _each_folded(groups: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(map(_folded, names.split())) for names in groups)


_MONTH_NAMES = _each_folded(_MONTHS)
_WHOLE_MONTH_NAMES = _each_folded(_WHOLE_MONTHS)
_WEEKDAY_NAMES = _each_folded(_WEEKDAYS)
_WHOLE_WEEKDAY_NAMES = _each_folded(_WHOLE_WEEKDAYS)
