"""German sentence templates of the built-in fact generator.

``{in_territory}`` is the name with its preposition and article ("in der Schweiz"), ``{territory}`` the bare name.
"""

from typing import Final

TEMPLATES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "currency-of": (
        (
            "Welche Währung gilt {in_territory}?",
            "Womit bezahlt man {in_territory}?",
            "Wie heißt die Währung, die {in_territory} gesetzliches Zahlungsmittel ist?",
        ),
        (
            "Die offizielle Währung {in_territory} heißt „{currency}“.",
            "Wer {in_territory} bezahlt, verwendet die dortige Währung: {currency}.",
            "Gesetzliches Zahlungsmittel ist {in_territory} die Währung „{currency}“.",
        ),
    ),
    "currency-country": (
        (
            "In welchem Land oder Gebiet heißt die Währung „{currency}“?",
            "Wo zahlt man mit der Währung „{currency}“?",
        ),
        (),
    ),
    "official-language": (
        (
            "Was ist {in_territory} die Amtssprache?",
            "Welche Sprache ist {in_territory} offiziell anerkannt?",
            "In welcher Sprache verkehrt man {in_territory} mit den Behörden?",
        ),
        (
            "Die Amtssprache {in_territory} ist {language}.",
            "{language} gilt {in_territory} landesweit als Amtssprache.",
        ),
    ),
    "official-languages": (
        (
            "Welche Amtssprachen gibt es {in_territory}?",
            "Welche Sprachen sind {in_territory} offiziell anerkannt?",
            "Mehrere Sprachen haben {in_territory} amtlichen Status: Welche sind es?",
        ),
        (
            "Die Amtssprachen {in_territory} sind {languages}.",
            "Mehrere Sprachen sind {in_territory} amtlich anerkannt, nämlich {languages}.",
        ),
    ),
    "speaker-share": (
        (
            "Wie groß ist {in_territory} der Anteil der Menschen, die {language} sprechen?",
            "Wie viel Prozent der Bevölkerung sprechen {in_territory} {language}?",
            "Wie verbreitet ist {language} {in_territory}?",
        ),
        (
            "Rund {percent} der Bevölkerung sprechen {in_territory} {language}.",
            "Der Anteil der Menschen, die {language} sprechen, liegt {in_territory} bei etwa {percent}.",
            "{language} wird {in_territory} von ungefähr {percent} der Menschen gesprochen.",
        ),
    ),
    "territory-code": (
        (
            "Wie lautet der zweistellige ISO-Ländercode für „{territory}“?",
            "Mit welchen zwei Buchstaben kürzt ISO 3166 den Namen „{territory}“ ab?",
            "Welcher Code nach ISO 3166 steht für „{territory}“?",
        ),
        (
            "Der zweistellige ISO-3166-Ländercode für „{territory}“ lautet {code}.",
            "In der Norm ISO 3166 steht das Kürzel {code} für „{territory}“.",
        ),
    ),
    "territory-of-code": (
        (
            "Welches Land oder Gebiet hat nach ISO 3166 den Code {code}?",
            "Wofür steht der zweistellige Ländercode {code}?",
        ),
        (),
    ),
    "language-code": (
        (
            "Welchen Code hat {language} in der Norm ISO 639?",
            "Wie lautet das Sprachkürzel für {language} nach ISO 639?",
            "Mit welchen Buchstaben wird {language} gemäß ISO 639 abgekürzt?",
        ),
        (
            "Der Sprachcode für {language} nach ISO 639 lautet „{code}“.",
            "In der Norm ISO 639 wird {language} mit den Buchstaben „{code}“ bezeichnet.",
        ),
    ),
    "language-of-code": (
        (
            "Welche Sprache verbirgt sich hinter dem ISO-639-Code „{code}“?",
            "Ein Text ist mit dem Sprachkürzel „{code}“ nach ISO 639 gekennzeichnet; welche Sprache ist das?",
        ),
        (),
    ),
    "language-script": (
        (
            "In welcher Schrift wird {language} üblicherweise geschrieben?",
            "Welches Schriftsystem verwendet {language}?",
            "Mit welchen Schriftzeichen schreibt man Texte auf {language}?",
        ),
        (
            "{language} wird üblicherweise in dieser Schrift geschrieben: {script}.",
            "Das gängige Schriftsystem für {language} heißt „{script}“.",
            "Als Schrift ist für {language} meist „{script}“ in Gebrauch.",
        ),
    ),
    "script-code": (
        (
            "Wie lautet der ISO-15924-Code der Schrift „{script}“?",
            "Welche vier Buchstaben stehen in ISO 15924 für die Schrift „{script}“?",
        ),
        (
            "Die Schrift „{script}“ hat nach ISO 15924 den Code {code}.",
            "In der Norm ISO 15924 bezeichnet {code} die Schrift „{script}“.",
        ),
    ),
    "currency-code": (
        (
            "Wie lautet der ISO-4217-Code der Währung „{currency}“?",
            "Welche drei Buchstaben stehen in ISO 4217 für „{currency}“?",
            "Wie wird die Währung „{currency}“ im internationalen Zahlungsverkehr abgekürzt?",
        ),
        (
            "Der Währungscode für „{currency}“ nach ISO 4217 lautet {code}.",
            "Im internationalen Zahlungsverkehr wird „{currency}“ gemäß ISO 4217 mit {code} abgekürzt.",
        ),
    ),
    "currency-of-code": (
        (
            "Welche Währung bezeichnet der ISO-4217-Code {code}?",
            "Auf einer Rechnung steht der Betrag in {code}; um welche Währung handelt es sich?",
        ),
        (),
    ),
    "city-territory": (
        (
            "In welchem Land oder Gebiet liegt {city}?",
            "Wo auf der Welt befindet sich {city}?",
            "Zu welchem Land oder Gebiet gehört {city}?",
        ),
        (
            "{city} liegt {in_territory}.",
            "Der Ort {city} befindet sich {in_territory}.",
            "Wer nach {city} reist, kommt {in_territory} an.",
        ),
    ),
    "city-zone": (
        (
            "In welcher Zeitzone liegt {city}?",
            "Nach welcher Zeit gehen die Uhren in {city}?",
            "Wie heißt die Zeitzone, die in {city} gilt?",
        ),
        (
            "{city} liegt in der Zeitzone „{zone}“.",
            "Die Zeitzone, nach der sich die Uhren in {city} richten, heißt „{zone}“.",
        ),
    ),
    "endonym": (
        (
            "Wie nennen diejenigen, die {language} sprechen, ihre Sprache selbst?",
            "Wie lautet die Eigenbezeichnung der Sprache {language}?",
            "Wie schreibt man den Namen der Sprache {language} in dieser Sprache selbst?",
        ),
        (
            "Die Eigenbezeichnung der Sprache {language} lautet „{endonym}“.",
            "Wer {language} spricht, nennt die eigene Sprache „{endonym}“.",
        ),
    ),
    "week-start": (
        (
            "An welchem Tag beginnt {in_territory} die Woche?",
            "Welcher Wochentag gilt {in_territory} als der erste?",
            "Mit welchem Tag fängt {in_territory} eine Kalenderwoche an?",
        ),
        (
            "Die Woche beginnt {in_territory} am {day}.",
            "Als erster Tag der Woche gilt {in_territory} der {day}.",
        ),
    ),
    "decimal-separator": (
        (
            "Welches Dezimaltrennzeichen verwendet {language}?",
            "Wie trennt man in Texten auf {language} die Nachkommastellen einer Zahl ab?",
            "Welches Zeichen steht vor den Dezimalstellen, wenn man Zahlen auf {language} schreibt?",
        ),
        (
            "Als Dezimaltrennzeichen dient in der Sprache {language} {separator}.",
            "In Zahlen steht vor den Dezimalstellen {separator}, wenn man auf {language} schreibt.",
        ),
    ),
}

SEPARATORS: Final[dict[str, str]] = {",": "ein Komma", ".": "ein Punkt"}
