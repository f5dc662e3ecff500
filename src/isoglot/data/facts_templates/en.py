"""English sentence templates of the built-in fact generator."""

from typing import Final

TEMPLATES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "currency-of": (
        (
            "Which currency is used in {territory}?",
            "What money do people pay with in {territory}?",
            "What is the official currency of {territory}?",
        ),
        (
            "The currency used in {territory} is the {currency}.",
            "People in {territory} pay in the local legal tender, the {currency}.",
            "In {territory}, the {currency} is the official means of payment.",
        ),
    ),
    "currency-country": (
        (
            "Which country or territory has the {currency} as its currency?",
            "Where is the {currency} legal tender?",
        ),
        (),
    ),
    "official-language": (
        (
            "What is the official language of {territory}?",
            "In {territory}, which language has official status?",
            "Which language does the state use officially in {territory}?",
        ),
        (
            "The official language of {territory} is {language}.",
            "{language} has official status throughout {territory}.",
        ),
    ),
    "official-languages": (
        (
            "Which languages are official in {territory}?",
            "What are the official languages of {territory}?",
            "{territory} has several official languages: which ones?",
        ),
        (
            "The official languages of {territory} are {languages}.",
            "Several languages have official status in {territory}: {languages}.",
        ),
    ),
    "speaker-share": (
        (
            "What share of the population of {territory} speaks {language}?",
            "Roughly what percentage of the people in {territory} know {language}?",
            "How widespread is {language} among the inhabitants of {territory}?",
        ),
        (
            "About {percent} of the population of {territory} speaks {language}.",
            "In {territory}, {language} is spoken by roughly {percent} of the inhabitants.",
            "The proportion of {language} speakers in {territory} is estimated at {percent}.",
        ),
    ),
    "territory-code": (
        (
            "What is the two-letter ISO country code of {territory}?",
            "How is {territory} abbreviated in the ISO 3166 standard?",
            "Which ISO 3166 code stands for {territory}?",
        ),
        (
            "The two-letter ISO 3166 country code of {territory} is {code}.",
            "In the ISO 3166 standard, {territory} is represented by the letters {code}.",
        ),
    ),
    "territory-of-code": (
        (
            "Which country or territory does the ISO 3166 code {code} refer to?",
            "{code} as a two-letter country code: what place is that?",
        ),
        (),
    ),
    "language-code": (
        (
            "What is the ISO 639 code of {language}?",
            "Which code identifies {language} in the ISO 639 standard?",
            "How do you abbreviate {language} with an ISO 639 language code?",
        ),
        (
            "The ISO 639 language code of {language} is “{code}”.",
            "In the ISO 639 standard, {language} is identified by the letters “{code}”.",
        ),
    ),
    "language-of-code": (
        (
            "Which language does the ISO 639 code “{code}” stand for?",
            "A text carries the ISO 639 language code “{code}”; what language is it in?",
        ),
        (),
    ),
    "language-script": (
        (
            "In which script is {language} usually written?",
            "What writing system does {language} use?",
            "Which characters are texts in {language} normally written with?",
        ),
        (
            "{language} is usually written in the following script: {script}.",
            "The most common script for writing {language} is {script}.",
            "The writing system normally used for {language} is called {script}.",
        ),
    ),
    "script-code": (
        (
            "What is the ISO 15924 code of the script called “{script}”?",
            "Which four letters identify the script “{script}” in ISO 15924?",
        ),
        (
            "The script called “{script}” has the ISO 15924 code {code}.",
            "In the ISO 15924 standard, {code} stands for the script “{script}”.",
        ),
    ),
    "currency-code": (
        (
            "What is the ISO 4217 code of the {currency}?",
            "Which three letters identify the {currency} in ISO 4217?",
            "How is the {currency} abbreviated in international banking?",
        ),
        (
            "The ISO 4217 currency code of the {currency} is {code}.",
            "In international payments, the {currency} is abbreviated {code} according to ISO 4217.",
        ),
    ),
    "currency-of-code": (
        (
            "Which currency does the ISO 4217 code {code} denote?",
            "An invoice gives its amount in {code}; which currency is that?",
        ),
        (),
    ),
    "city-territory": (
        (
            "In which country or territory is {city} located?",
            "Where in the world is {city}?",
            "Which country or territory does {city} belong to?",
        ),
        (
            "{city} is located in {territory}.",
            "The place known as {city} belongs to {territory}.",
            "Anyone travelling to {city} is going to {territory}.",
        ),
    ),
    "city-zone": (
        (
            "Which time zone is {city} in?",
            "What time do the clocks in {city} follow?",
            "What is the name of the time zone that applies in {city}?",
        ),
        (
            "{city} is in the time zone called {zone}.",
            "Clocks in {city} are set to {zone}.",
        ),
    ),
    "endonym": (
        (
            "What is {language} called by its own speakers?",
            "What is the native name of {language}?",
            "How do you write the name of {language} in that language itself?",
        ),
        (
            "Speakers of {language} call their language “{endonym}”.",
            "The native name of {language} is “{endonym}”.",
        ),
    ),
    "week-start": (
        (
            "On which day does the week start in {territory}?",
            "What is the first day of the week on calendars in {territory}?",
            "Which weekday comes first in the calendar of {territory}?",
        ),
        (
            "In {territory}, the week starts on {day}.",
            "Calendars in {territory} show {day} as the first day of the week.",
        ),
    ),
    "decimal-separator": (
        (
            "Which decimal separator is used when writing numbers in {language}?",
            "How are the decimals of a number set off in {language}?",
            "In {language}, what sign stands between the whole part of a number and its decimals?",
        ),
        (
            "In {language}, the decimal separator in numbers is the {separator}.",
            "Texts in {language} separate the decimals of a number with a {separator}.",
        ),
    ),
}

SEPARATORS: Final[dict[str, str]] = {",": "comma", ".": "point"}
