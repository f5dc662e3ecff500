"""Simplified Chinese sentence templates of the built-in fact generator."""

from typing import Final

TEMPLATES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "currency-of": (
        (
            "{territory}使用什么货币？",
            "在{territory}买东西要用哪种钱付款？",
            "{territory}的法定货币是什么？",
        ),
        (
            "{territory}使用的货币是{currency}。",
            "在{territory}，人们用当地的法定货币{currency}付款。",
            "{currency}是{territory}的官方货币。",
        ),
    ),
    "currency-country": (
        (
            "哪个国家或地区以{currency}为货币？",
            "{currency}是哪里的法定货币？",
        ),
        (),
    ),
    "official-language": (
        (
            "{territory}的官方语言是什么？",
            "在{territory}，哪种语言具有官方地位？",
            "{territory}的政府机关正式使用哪一种语言？",
        ),
        (
            "{territory}的官方语言是{language}。",
            "{language}在{territory}全境具有官方地位。",
        ),
    ),
    "official-languages": (
        (
            "{territory}有哪些官方语言？",
            "在{territory}，哪几种语言具有官方地位？",
            "{territory}的官方语言不止一种，分别是什么？",
        ),
        (
            "{territory}的官方语言有{languages}。",
            "在{territory}，具有官方地位的语言包括{languages}。",
        ),
    ),
    "speaker-share": (
        (
            "{territory}会说{language}的人口占多大比例？",
            "在{territory}，大约百分之多少的居民懂{language}？",
            "{language}在{territory}的普及程度如何？",
        ),
        (
            "{territory}约有{percent}的人口会说{language}。",
            "在{territory}，说{language}的居民大约占{percent}。",
            "据估计，{language}使用者占{territory}人口的{percent}。",
        ),
    ),
    "territory-code": (
        (
            "{territory}的两位字母ISO国家和地区代码是什么？",
            "在ISO 3166标准中，{territory}怎么缩写？",
            "哪个ISO 3166代码代表{territory}？",
        ),
        (
            "{territory}的两位字母ISO 3166代码是{code}。",
            "在ISO 3166标准中，{territory}用字母{code}表示。",
        ),
    ),
    "territory-of-code": (
        (
            "ISO 3166代码{code}指的是哪个国家或地区？",
            "作为两位字母的国家和地区代码，{code}代表什么地方？",
        ),
        (),
    ),
    "language-code": (
        (
            "{language}的ISO 639代码是什么？",
            "ISO 639标准用哪些字母表示{language}？",
            "用ISO 639语言代码怎样缩写{language}？",
        ),
        (
            "{language}的ISO 639语言代码是“{code}”。",
            "在ISO 639标准中，{language}用字母“{code}”表示。",
        ),
    ),
    "language-of-code": (
        (
            "ISO 639代码“{code}”代表哪种语言？",
            "一篇文章标注的ISO 639语言代码是“{code}”，它是用什么语言写的？",
        ),
        (),
    ),
    "language-script": (
        (
            "{language}通常用什么文字书写？",
            "{language}使用哪种书写系统？",
            "写{language}时一般用什么字符？",
        ),
        (
            "{language}通常用以下文字书写：{script}。",
            "书写{language}最常用的文字是{script}。",
            "{language}一般采用的书写系统叫作{script}。",
        ),
    ),
    "script-code": (
        (
            "文字“{script}”的ISO 15924代码是什么？",
            "ISO 15924用哪四个字母表示“{script}”这种文字？",
        ),
        (
            "名为“{script}”的文字，其ISO 15924代码是{code}。",
            "在ISO 15924标准中，{code}代表“{script}”这种文字。",
        ),
    ),
    "currency-code": (
        (
            "{currency}的ISO 4217代码是什么？",
            "ISO 4217用哪三个字母表示{currency}？",
            "在国际支付中，{currency}怎么缩写？",
        ),
        (
            "{currency}的ISO 4217货币代码是{code}。",
            "根据ISO 4217，{currency}在国际支付中缩写为{code}。",
        ),
    ),
    "currency-of-code": (
        (
            "ISO 4217代码{code}表示哪种货币？",
            "账单金额以{code}计价，这是什么货币？",
        ),
        (),
    ),
    "city-territory": (
        (
            "{city}位于哪个国家或地区？",
            "{city}在世界上的什么地方？",
            "{city}属于哪个国家或地区？",
        ),
        (
            "{city}位于{territory}。",
            "名为{city}的地方属于{territory}。",
            "去{city}旅行，就是前往{territory}。",
        ),
    ),
    "city-zone": (
        (
            "{city}在哪个时区？",
            "{city}的时钟按什么时间走？",
            "{city}采用的时区叫什么名字？",
        ),
        (
            "{city}所在的时区叫作{zone}。",
            "{city}的时钟按{zone}校准。",
        ),
    ),
    "endonym": (
        (
            "说{language}的人怎么称呼自己的语言？",
            "{language}的本族语名称是什么？",
            "{language}这个名称用该语言本身怎么写？",
        ),
        (
            "说{language}的人把自己的语言称为“{endonym}”。",
            "{language}的本族语名称是“{endonym}”。",
        ),
    ),
    "week-start": (
        (
            "在{territory}，一周从哪一天开始？",
            "{territory}的日历以星期几作为一周的第一天？",
            "{territory}的一周首日是星期几？",
        ),
        (
            "在{territory}，一周从{day}开始。",
            "{territory}的日历把{day}作为一周的第一天。",
        ),
    ),
    "decimal-separator": (
        (
            "用{language}书写数字时，小数分隔符是什么？",
            "{language}怎样把数字的小数部分隔开？",
            "在{language}中，数字的整数部分和小数部分之间用什么符号？",
        ),
        (
            "在{language}中，数字的小数分隔符是{separator}。",
            "{language}文本用{separator}隔开数字的小数部分。",
        ),
    ),
}

SEPARATORS: Final[dict[str, str]] = {",": "逗号", ".": "点号"}
