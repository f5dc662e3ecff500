"""Arabic sentence templates of the built-in fact generator; ``{language}`` is a noun phrase ("اللغة الألمانية")."""

from typing import Final

TEMPLATES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "currency-of": (
        (
            "ما العملة المستخدمة في {territory}؟",
            "بأي نقود يدفع الناس في {territory}؟",
            "ما اسم العملة الرسمية في {territory}؟",
        ),
        (
            "العملة المستخدمة في {territory} هي {currency}.",
            "يدفع الناس في {territory} بالعملة المحلية المسماة «{currency}».",
            "وسيلة الدفع القانونية في {territory} هي عملة «{currency}».",
        ),
    ),
    "currency-country": (
        (
            "في أي بلد أو إقليم تُتداول عملة «{currency}»؟",
            "أين تُعد عملة «{currency}» وسيلة دفع قانونية؟",
        ),
        (),
    ),
    "official-language": (
        (
            "ما اللغة الرسمية في {territory}؟",
            "أي لغة لها صفة رسمية في {territory}؟",
            "بأي لغة تُكتب الوثائق الحكومية في {territory}؟",
        ),
        (
            "اللغة الرسمية في {territory} هي {language}.",
            "تتمتع {language} بصفة رسمية في {territory}.",
        ),
    ),
    "official-languages": (
        (
            "ما اللغات الرسمية في {territory}؟",
            "أي اللغات تتمتع بصفة رسمية في {territory}؟",
            "توجد في {territory} عدة لغات رسمية، فما هي؟",
        ),
        (
            "اللغات الرسمية في {territory} هي: {languages}.",
            "تتمتع عدة لغات بصفة رسمية في {territory}، وهي: {languages}.",
        ),
    ),
    "speaker-share": (
        (
            "ما نسبة السكان الذين يتحدثون {language} في {territory}؟",
            "كم في المئة من الناس يعرفون {language} في {territory}؟",
            "ما مدى انتشار {language} بين سكان {territory}؟",
        ),
        (
            "يتحدث نحو {percent} من سكان {territory} {language}.",
            "في {territory} تبلغ نسبة من يتحدثون {language} حوالي {percent}.",
            "تُقدَّر نسبة من يستخدمون {language} في {territory} بنحو {percent} من السكان.",
        ),
    ),
    "territory-code": (
        (
            "ما رمز البلد المكون من حرفين الذي يقابل «{territory}» في معيار ISO؟",
            "كيف يُختصر اسم «{territory}» في معيار ISO 3166؟",
            "أي رمز من رموز ISO 3166 يدل على «{territory}»؟",
        ),
        (
            "رمز ISO 3166 المكون من حرفين الذي يقابل «{territory}» هو {code}.",
            "في معيار ISO 3166 يدل الحرفان {code} على «{territory}».",
        ),
    ),
    "territory-of-code": (
        (
            "إلى أي بلد أو إقليم يشير الرمز {code} في معيار ISO 3166؟",
            "على أي مكان يدل رمز البلد المكون من الحرفين {code}؟",
        ),
        (),
    ),
    "language-code": (
        (
            "ما رمز {language} في معيار ISO 639؟",
            "بأي حروف يُشار إلى {language} في معيار ISO 639؟",
            "كيف تُختصر {language} برمز لغوي من رموز ISO 639؟",
        ),
        (
            "رمز {language} في معيار ISO 639 هو «{code}».",
            "يُشار إلى {language} في معيار ISO 639 بالحروف «{code}».",
        ),
    ),
    "language-of-code": (
        (
            "ما اللغة التي يدل عليها الرمز «{code}» في معيار ISO 639؟",
            "نص يحمل رمز اللغة «{code}» وفق ISO 639، فبأي لغة كُتب؟",
        ),
        (),
    ),
    "language-script": (
        (
            "بأي خط تُكتب {language} عادةً؟",
            "ما نظام الكتابة الذي تستخدمه {language}؟",
            "ما الحروف التي تُستعمل غالبًا في كتابة {language}؟",
        ),
        (
            "تُكتب {language} عادةً بنظام الكتابة التالي: {script}.",
            "نظام الكتابة الأكثر شيوعًا في {language} هو «{script}».",
            "تستخدم {language} في الغالب نظام الكتابة المسمى «{script}».",
        ),
    ),
    "script-code": (
        (
            "ما رمز نظام الكتابة «{script}» في معيار ISO 15924؟",
            "ما الحروف الأربعة التي تدل على نظام الكتابة «{script}» في ISO 15924؟",
        ),
        (
            "رمز نظام الكتابة «{script}» في معيار ISO 15924 هو {code}.",
            "في معيار ISO 15924 يدل الرمز {code} على نظام الكتابة «{script}».",
        ),
    ),
    "currency-code": (
        (
            "ما رمز عملة «{currency}» في معيار ISO 4217؟",
            "ما الحروف الثلاثة التي تدل على عملة «{currency}» في ISO 4217؟",
            "كيف تُختصر عملة «{currency}» في المدفوعات الدولية؟",
        ),
        (
            "رمز عملة «{currency}» في معيار ISO 4217 هو {code}.",
            "تُختصر عملة «{currency}» في المدفوعات الدولية بالرمز {code} وفق معيار ISO 4217.",
        ),
    ),
    "currency-of-code": (
        (
            "ما العملة التي يدل عليها الرمز {code} في معيار ISO 4217؟",
            "فاتورة مبلغها محدد بعملة رمزها {code}، فما هذه العملة؟",
        ),
        (),
    ),
    "city-territory": (
        (
            "في أي بلد أو إقليم تقع {city}؟",
            "أين تقع {city} في العالم؟",
            "إلى أي بلد أو إقليم تنتمي {city}؟",
        ),
        (
            "تقع {city} في {territory}.",
            "المكان المسمى {city} يوجد في {territory}.",
            "من يسافر إلى {city} يصل إلى {territory}.",
        ),
    ),
    "city-zone": (
        (
            "في أي منطقة زمنية تقع {city}؟",
            "أي توقيت تتبعه الساعات في {city}؟",
            "ما اسم المنطقة الزمنية المعمول بها في {city}؟",
        ),
        (
            "تقع {city} في المنطقة الزمنية المسماة «{zone}».",
            "تُضبط الساعات في {city} وفق ما يُعرف باسم «{zone}».",
        ),
    ),
    "endonym": (
        (
            "بأي اسم يسمي الناطقون أنفسهم {language}؟",
            "ما الاسم المحلي الذي تُعرف به {language} لدى أهلها؟",
            "كيف يُكتب اسم {language} بتلك اللغة نفسها؟",
        ),
        (
            "الاسم المحلي الذي تُعرف به {language} لدى أهلها هو «{endonym}».",
            "يُكتب اسم {language} بتلك اللغة نفسها هكذا: «{endonym}».",
        ),
    ),
    "week-start": (
        (
            "في أي يوم يبدأ الأسبوع في {territory}؟",
            "ما أول أيام الأسبوع في تقاويم {territory}؟",
            "أي يوم يتصدر أسبوع التقويم في {territory}؟",
        ),
        (
            "يبدأ الأسبوع في {territory} يوم {day}.",
            "أول أيام الأسبوع في {territory} هو يوم {day}.",
        ),
    ),
    "decimal-separator": (
        (
            "ما الفاصل العشري المستخدم عند كتابة الأعداد في {language}؟",
            "كيف يُفصل الجزء العشري من العدد في {language}؟",
            "ما العلامة التي تفصل بين الجزء الصحيح والجزء العشري من العدد في {language}؟",
        ),
        (
            "الفاصل العشري في الأعداد المكتوبة وفق قواعد {language} هو {separator}.",
            "يُفصل الجزء العشري من العدد في {language} بعلامة {separator}.",
        ),
    ),
}

SEPARATORS: Final[dict[str, str]] = {",": "الفاصلة", ".": "النقطة"}
