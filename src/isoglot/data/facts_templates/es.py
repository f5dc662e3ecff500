"""Spanish sentence templates of the built-in fact generator."""

from typing import Final

TEMPLATES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "currency-of": (
        (
            "¿Qué moneda se usa en {territory}?",
            "¿Con qué dinero se paga en {territory}?",
            "¿Cuál es la moneda oficial de {territory}?",
        ),
        (
            "La moneda que se usa en {territory} es la siguiente: {currency}.",
            "En {territory} se paga con la moneda local, llamada «{currency}».",
            "La moneda oficial de {territory} se denomina «{currency}».",
        ),
    ),
    "currency-country": (
        (
            "¿En qué país o territorio circula la moneda llamada «{currency}»?",
            "¿Dónde es de curso legal la moneda «{currency}»?",
        ),
        (),
    ),
    "official-language": (
        (
            "¿Cuál es el idioma oficial de {territory}?",
            "¿Qué lengua tiene carácter oficial en {territory}?",
            "¿En qué idioma se redactan los documentos oficiales en {territory}?",
        ),
        (
            "El idioma oficial de {territory} es el {language}.",
            "En {territory} la lengua con carácter oficial en todo el territorio es el {language}.",
        ),
    ),
    "official-languages": (
        (
            "¿Qué idiomas son oficiales en {territory}?",
            "¿Cuáles son las lenguas oficiales de {territory}?",
            "En {territory} hay varias lenguas oficiales: ¿cuáles son?",
        ),
        (
            "Los idiomas oficiales de {territory} son los siguientes: {languages}.",
            "Varias lenguas tienen carácter oficial en {territory}: {languages}.",
        ),
    ),
    "speaker-share": (
        (
            "¿Qué proporción de la población de {territory} habla {language}?",
            "¿Cuántas personas de cada cien saben {language} en {territory}?",
            "¿Hasta qué punto está extendido el {language} en {territory}?",
        ),
        (
            "Aproximadamente el {percent} de la población de {territory} habla {language}.",
            "En {territory}, el {language} es hablado por cerca del {percent} de los habitantes.",
            "Se calcula que en {territory} los hablantes de {language} son el {percent} de la población.",
        ),
    ),
    "territory-code": (
        (
            "¿Cuál es el código ISO de dos letras de {territory}?",
            "¿Cómo se abrevia {territory} en la norma ISO 3166?",
            "¿Qué código ISO 3166 corresponde a {territory}?",
        ),
        (
            "El código de país ISO 3166 de dos letras de {territory} es {code}.",
            "En la norma ISO 3166, las letras {code} representan a {territory}.",
        ),
    ),
    "territory-of-code": (
        (
            "¿A qué país o territorio corresponde el código ISO 3166 {code}?",
            "Como código de país de dos letras, ¿qué lugar designa {code}?",
        ),
        (),
    ),
    "language-code": (
        (
            "¿Cuál es el código ISO 639 del idioma {language}?",
            "¿Qué letras identifican al {language} en la norma ISO 639?",
            "¿Cómo se abrevia el {language} con un código de idioma ISO 639?",
        ),
        (
            "El código ISO 639 del idioma {language} es «{code}».",
            "En la norma ISO 639, el {language} se identifica con las letras «{code}».",
        ),
    ),
    "language-of-code": (
        (
            "¿Qué idioma representa el código ISO 639 «{code}»?",
            "Un texto lleva el código de idioma ISO 639 «{code}»; ¿en qué lengua está escrito?",
        ),
        (),
    ),
    "language-script": (
        (
            "¿Con qué escritura se suele escribir el {language}?",
            "¿Qué sistema de escritura utiliza el {language}?",
            "¿Qué caracteres se emplean normalmente en los textos en {language}?",
        ),
        (
            "El {language} se escribe habitualmente con este sistema de escritura: {script}.",
            "El sistema de escritura más común del {language} es el {script}.",
            "Para escribir en {language} se utiliza sobre todo el sistema llamado «{script}».",
        ),
    ),
    "script-code": (
        (
            "¿Cuál es el código ISO 15924 del sistema de escritura «{script}»?",
            "¿Qué cuatro letras identifican la escritura «{script}» en la norma ISO 15924?",
        ),
        (
            "El sistema de escritura «{script}» tiene el código ISO 15924 {code}.",
            "En la norma ISO 15924, {code} designa la escritura «{script}».",
        ),
    ),
    "currency-code": (
        (
            "¿Cuál es el código ISO 4217 de la moneda «{currency}»?",
            "¿Qué tres letras identifican a la moneda «{currency}» en la norma ISO 4217?",
            "¿Cómo se abrevia la moneda «{currency}» en los pagos internacionales?",
        ),
        (
            "El código ISO 4217 de la moneda «{currency}» es {code}.",
            "En los pagos internacionales, la moneda «{currency}» se abrevia {code} según la norma ISO 4217.",
        ),
    ),
    "currency-of-code": (
        (
            "¿Qué moneda designa el código ISO 4217 {code}?",
            "Si una factura está expresada en {code}, ¿de qué moneda se trata?",
        ),
        (),
    ),
    "city-territory": (
        (
            "¿En qué país o territorio se encuentra {city}?",
            "¿En qué parte del mundo está {city}?",
            "¿A qué país o territorio pertenece {city}?",
        ),
        (
            "{city} se encuentra en {territory}.",
            "El lugar llamado {city} pertenece a {territory}.",
            "Quien viaja a {city} llega a {territory}.",
        ),
    ),
    "city-zone": (
        (
            "¿En qué huso horario está {city}?",
            "¿Por qué hora se rigen los relojes en {city}?",
            "¿Cómo se llama la zona horaria que se aplica en {city}?",
        ),
        (
            "{city} está en la zona horaria denominada «{zone}».",
            "En {city} los relojes siguen el huso «{zone}».",
        ),
    ),
    "endonym": (
        (
            "¿Cómo llaman a su lengua los hablantes de {language}?",
            "¿Cuál es el nombre autóctono del {language}?",
            "¿Cómo se escribe el nombre del idioma {language} en esa misma lengua?",
        ),
        (
            "Los hablantes de {language} llaman a su lengua «{endonym}».",
            "El nombre autóctono del {language} es «{endonym}».",
        ),
    ),
    "week-start": (
        (
            "¿Qué día empieza la semana en {territory}?",
            "¿Cuál es el primer día de la semana en los calendarios de {territory}?",
            "¿Con qué día comienza la semana en {territory}?",
        ),
        (
            "En {territory} la semana empieza el {day}.",
            "El primer día de la semana en los calendarios de {territory} es el {day}.",
        ),
    ),
    "decimal-separator": (
        (
            "¿Qué separador decimal se usa al escribir números en {language}?",
            "¿Cómo se separan los decimales de un número en {language}?",
            "En {language}, ¿qué signo va entre la parte entera de un número y sus decimales?",
        ),
        (
            "En {language}, el separador decimal de los números es {separator}.",
            "Los textos en {language} separan los decimales de un número mediante {separator}.",
        ),
    ),
}

SEPARATORS: Final[dict[str, str]] = {",": "la coma", ".": "el punto"}
