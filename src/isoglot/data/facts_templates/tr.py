"""Turkish sentence templates of the built-in fact generator; names take no suffix, class nouns carry them."""

from typing import Final

TEMPLATES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "currency-of": (
        (
            "{territory} adlı ülkede veya bölgede hangi para birimi kullanılır?",
            "{territory}: orada hangi parayla alışveriş yapılır?",
            "{territory} için resmî para birimi nedir?",
        ),
        (
            "{territory} adlı ülkede veya bölgede kullanılan para birimi şudur: {currency}.",
            "{territory}: burada ödemeler yerel para birimi olan {currency} ile yapılır.",
            "{territory} için resmî para birimi “{currency}” olarak belirlenmiştir.",
        ),
    ),
    "currency-country": (
        (
            "{currency} hangi ülkenin veya bölgenin para birimidir?",
            "{currency} nerede yasal ödeme aracıdır?",
        ),
        (),
    ),
    "official-language": (
        (
            "{territory} adlı ülkenin veya bölgenin resmî dili hangisidir?",
            "{territory}: orada hangi dil resmî statüye sahiptir?",
            "{territory} adlı ülkede veya bölgede resmî belgeler hangi dilde yazılır?",
        ),
        (
            "{territory} adlı ülkenin veya bölgenin resmî dili şudur: {language}.",
            "{territory}: {language} burada resmî dil olarak kabul edilir.",
        ),
    ),
    "official-languages": (
        (
            "{territory} adlı ülkede veya bölgede hangi diller resmîdir?",
            "{territory}: orada geçerli olan resmî diller nelerdir?",
            "{territory} adlı ülkenin veya bölgenin birden çok resmî dili var; bunlar hangileri?",
        ),
        (
            "{territory} adlı ülkenin veya bölgenin resmî dilleri şunlardır: {languages}.",
            "{territory}: burada {languages} resmî dil statüsündedir.",
        ),
    ),
    "speaker-share": (
        (
            "{territory} nüfusu içinde {language} konuşanların oranı nedir?",
            "{territory}: halkın yüzde kaçı {language} biliyor?",
            "{language}, {territory} adlı ülkede veya bölgede ne kadar yaygındır?",
        ),
        (
            "{territory} nüfusu içinde {language} konuşanların oranı yaklaşık {percent} düzeyindedir.",
            "{territory}: {language} konuşanlar nüfus içinde aşağı yukarı {percent} oranındadır.",
            "{language}, {territory} adlı ülkede veya bölgede nüfusun tahminen {percent} kadarı tarafından konuşulur.",
        ),
    ),
    "territory-code": (
        (
            "{territory} için iki harfli ISO ülke kodu nedir?",
            "{territory}, ISO 3166 standardında nasıl kısaltılır?",
            "Hangi ISO 3166 kodu {territory} anlamına gelir?",
        ),
        (
            "{territory} için iki harfli ISO 3166 ülke kodu {code} şeklindedir.",
            "ISO 3166 standardında {territory}, {code} harfleriyle gösterilir.",
        ),
    ),
    "territory-of-code": (
        (
            "{code} şeklindeki ISO 3166 kodu hangi ülkeyi veya bölgeyi gösterir?",
            "İki harfli ülke kodu olarak {code} neresi demektir?",
        ),
        (),
    ),
    "language-code": (
        (
            "{language} için ISO 639 kodu nedir?",
            "{language}, ISO 639 standardında hangi harflerle gösterilir?",
            "ISO 639 dil koduyla {language} nasıl kısaltılır?",
        ),
        (
            "{language} için ISO 639 dil kodu “{code}” şeklindedir.",
            "ISO 639 standardında {language}, “{code}” harfleriyle gösterilir.",
        ),
    ),
    "language-of-code": (
        (
            "“{code}” şeklindeki ISO 639 kodu hangi dile aittir?",
            "Bir metnin ISO 639 dil kodu “{code}” ise bu metin hangi dildedir?",
        ),
        (),
    ),
    "language-script": (
        (
            "{language} genellikle hangi yazıyla yazılır?",
            "{language} hangi yazı sistemini kullanır?",
            "{language} için çoğunlukla hangi karakterler kullanılır?",
        ),
        (
            "{language} genellikle şu yazı sistemiyle yazılır: {script}.",
            "{language} için en yaygın yazı sistemi “{script}” adını taşır.",
            "{language} için kullanılan yazının adı “{script}” olarak geçer.",
        ),
    ),
    "script-code": (
        (
            "“{script}” adlı yazı sisteminin ISO 15924 kodu nedir?",
            "ISO 15924 standardında hangi dört harf “{script}” yazısını gösterir?",
        ),
        (
            "“{script}” adlı yazı sisteminin ISO 15924 kodu {code} şeklindedir.",
            "ISO 15924 standardında {code}, “{script}” yazısını gösterir.",
        ),
    ),
    "currency-code": (
        (
            "{currency} için ISO 4217 kodu nedir?",
            "ISO 4217 standardında {currency} hangi üç harfle gösterilir?",
            "Uluslararası ödemelerde {currency} nasıl kısaltılır?",
        ),
        (
            "{currency} için ISO 4217 para birimi kodu {code} şeklindedir.",
            "Uluslararası ödemelerde {currency}, ISO 4217 uyarınca {code} olarak kısaltılır.",
        ),
    ),
    "currency-of-code": (
        (
            "{code} şeklindeki ISO 4217 kodu hangi para birimini gösterir?",
            "Faturadaki tutar {code} cinsinden yazılmış; bu hangi para birimidir?",
        ),
        (),
    ),
    "city-territory": (
        (
            "{city} hangi ülkede veya bölgede yer alır?",
            "{city} dünyanın neresindedir?",
            "{city} hangi ülkeye veya bölgeye bağlıdır?",
        ),
        (
            "{city}, {territory} sınırları içinde yer alır.",
            "{city} adlı yer {territory} adlı ülkeye veya bölgeye bağlıdır.",
            "{city} şu ülkede veya bölgede bulunur: {territory}.",
        ),
    ),
    "city-zone": (
        (
            "{city} hangi saat dilimindedir?",
            "{city}: orada saatler neye göre ayarlanır?",
            "{city} için geçerli olan saat diliminin adı nedir?",
        ),
        (
            "{city} şu saat diliminde yer alır: {zone}.",
            "{city} için geçerli olan saat diliminin adı “{zone}” olarak bilinir.",
        ),
    ),
    "endonym": (
        (
            "{language} konuşanlar kendi dillerine ne ad verir?",
            "{language} için o dilin kendisinde kullanılan ad nedir?",
            "{language}, kendi yazımıyla nasıl adlandırılır?",
        ),
        (
            "{language} konuşanlar kendi dillerine “{endonym}” der.",
            "{language} için o dilin kendisinde kullanılan ad “{endonym}” biçimindedir.",
        ),
    ),
    "week-start": (
        (
            "{territory} adlı ülkede veya bölgede hafta hangi gün başlar?",
            "{territory}: orada haftanın ilk günü hangisidir?",
            "{territory} takvimlerinde haftanın başında hangi gün yer alır?",
        ),
        (
            "{territory} adlı ülkede veya bölgede haftanın ilk günü {day} günüdür.",
            "{territory}: takvimlerde hafta {day} günü başlar.",
        ),
    ),
    "decimal-separator": (
        (
            "{language} sayılarda hangi ondalık ayırıcıyı kullanır?",
            "{language} için bir sayının ondalık kısmı nasıl ayrılır?",
            "{language} söz konusu olduğunda sayının tam kısmı ile ondalık kısmı arasına hangi işaret konur?",
        ),
        (
            "{language} sayılarda ondalık ayırıcı olarak {separator} kullanır.",
            "{language} söz konusu olduğunda sayının ondalık kısmından önce {separator} konur.",
        ),
    ),
}

SEPARATORS: Final[dict[str, str]] = {",": "virgül", ".": "nokta"}
