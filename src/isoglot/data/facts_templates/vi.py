"""Vietnamese sentence templates of the built-in fact generator; ``{language}`` and ``{script}`` carry a class noun."""

from typing import Final

TEMPLATES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "currency-of": (
        (
            "{territory} sử dụng đơn vị tiền tệ nào?",
            "Người dân ở {territory} trả tiền bằng loại tiền gì?",
            "Đồng tiền chính thức của {territory} là gì?",
        ),
        (
            "Đơn vị tiền tệ được sử dụng ở {territory} là {currency}.",
            "Người dân ở {territory} trả tiền bằng đồng nội tệ có tên là {currency}.",
            "Ở {territory}, {currency} là phương tiện thanh toán hợp pháp.",
        ),
    ),
    "currency-country": (
        (
            "Quốc gia hay vùng lãnh thổ nào dùng {currency} làm đơn vị tiền tệ?",
            "Đồng {currency} được lưu hành hợp pháp ở đâu?",
        ),
        (),
    ),
    "official-language": (
        (
            "Ngôn ngữ chính thức của {territory} là gì?",
            "Ở {territory}, ngôn ngữ nào có địa vị chính thức?",
            "Cơ quan nhà nước ở {territory} chính thức dùng tiếng nào?",
        ),
        (
            "Ngôn ngữ chính thức của {territory} là {language}.",
            "{language} có địa vị chính thức trên toàn {territory}.",
        ),
    ),
    "official-languages": (
        (
            "{territory} có những ngôn ngữ chính thức nào?",
            "Ở {territory}, những thứ tiếng nào có địa vị chính thức?",
            "{territory} có nhiều ngôn ngữ chính thức, đó là những tiếng gì?",
        ),
        (
            "Các ngôn ngữ chính thức của {territory} là {languages}.",
            "Ở {territory} có nhiều thứ tiếng mang địa vị chính thức, gồm {languages}.",
        ),
    ),
    "speaker-share": (
        (
            "Tỷ lệ dân số {territory} nói {language} là bao nhiêu?",
            "Ở {territory} có khoảng bao nhiêu phần trăm người biết {language}?",
            "{language} phổ biến đến mức nào trong cư dân {territory}?",
        ),
        (
            "Khoảng {percent} dân số {territory} nói {language}.",
            "Ở {territory}, {language} được chừng {percent} cư dân sử dụng.",
            "Tỷ lệ người nói {language} ở {territory} ước tính là {percent}.",
        ),
    ),
    "territory-code": (
        (
            "Mã quốc gia ISO gồm hai chữ cái của {territory} là gì?",
            "{territory} được viết tắt thế nào trong tiêu chuẩn ISO 3166?",
            "Mã ISO 3166 nào dùng để chỉ {territory}?",
        ),
        (
            "Mã quốc gia ISO 3166 gồm hai chữ cái của {territory} là {code}.",
            "Trong tiêu chuẩn ISO 3166, {territory} được ký hiệu bằng hai chữ cái {code}.",
        ),
    ),
    "territory-of-code": (
        (
            "Mã ISO 3166 {code} chỉ quốc gia hay vùng lãnh thổ nào?",
            "Với tư cách mã quốc gia hai chữ cái, {code} là nơi nào?",
        ),
        (),
    ),
    "language-code": (
        (
            "Mã ISO 639 của {language} là gì?",
            "Tiêu chuẩn ISO 639 dùng những chữ cái nào để chỉ {language}?",
            "Viết tắt {language} bằng mã ngôn ngữ ISO 639 như thế nào?",
        ),
        (
            "Mã ngôn ngữ ISO 639 của {language} là “{code}”.",
            "Trong tiêu chuẩn ISO 639, {language} được ký hiệu bằng các chữ cái “{code}”.",
        ),
    ),
    "language-of-code": (
        (
            "Mã ISO 639 “{code}” ứng với ngôn ngữ nào?",
            "Một văn bản mang mã ngôn ngữ ISO 639 “{code}” thì được viết bằng tiếng gì?",
        ),
        (),
    ),
    "language-script": (
        (
            "{language} thường được viết bằng loại chữ nào?",
            "{language} dùng hệ thống chữ viết gì?",
            "Văn bản bằng {language} thường dùng những ký tự nào?",
        ),
        (
            "{language} thường được viết bằng {script}.",
            "Hệ thống chữ viết thông dụng nhất của {language} là {script}.",
            "Để viết {language}, người ta thường dùng {script}.",
        ),
    ),
    "script-code": (
        (
            "Mã ISO 15924 của hệ chữ viết “{script}” là gì?",
            "Bốn chữ cái nào trong ISO 15924 biểu thị hệ chữ viết “{script}”?",
        ),
        (
            "Hệ chữ viết “{script}” có mã ISO 15924 là {code}.",
            "Trong tiêu chuẩn ISO 15924, {code} biểu thị hệ chữ viết “{script}”.",
        ),
    ),
    "currency-code": (
        (
            "Mã ISO 4217 của đồng {currency} là gì?",
            "Ba chữ cái nào trong ISO 4217 biểu thị đồng {currency}?",
            "Trong thanh toán quốc tế, {currency} được viết tắt ra sao?",
        ),
        (
            "Mã tiền tệ ISO 4217 của đồng {currency} là {code}.",
            "Trong thanh toán quốc tế, {currency} được viết tắt là {code} theo tiêu chuẩn ISO 4217.",
        ),
    ),
    "currency-of-code": (
        (
            "Mã ISO 4217 {code} biểu thị đơn vị tiền tệ nào?",
            "Hóa đơn ghi số tiền bằng {code}; đó là loại tiền gì?",
        ),
        (),
    ),
    "city-territory": (
        (
            "{city} nằm ở quốc gia hay vùng lãnh thổ nào?",
            "{city} ở đâu trên thế giới?",
            "{city} thuộc quốc gia hay vùng lãnh thổ nào?",
        ),
        (
            "{city} nằm ở {territory}.",
            "Địa danh {city} thuộc về {territory}.",
            "Ai du lịch tới {city} tức là đến {territory}.",
        ),
    ),
    "city-zone": (
        (
            "{city} thuộc múi giờ nào?",
            "Đồng hồ ở {city} chạy theo giờ gì?",
            "Múi giờ áp dụng tại {city} có tên là gì?",
        ),
        (
            "{city} thuộc múi giờ có tên là “{zone}”.",
            "Đồng hồ ở {city} được chỉnh theo {zone}.",
        ),
    ),
    "endonym": (
        (
            "Người nói {language} gọi ngôn ngữ của mình là gì?",
            "Tên bản ngữ của {language} là gì?",
            "Tên của {language} được viết thế nào bằng chính ngôn ngữ đó?",
        ),
        (
            "Người nói {language} gọi ngôn ngữ của mình là “{endonym}”.",
            "Tên bản ngữ của {language} là “{endonym}”.",
        ),
    ),
    "week-start": (
        (
            "Ở {territory}, tuần bắt đầu vào ngày nào?",
            "Ngày đầu tuần trên lịch ở {territory} là thứ mấy?",
            "Lịch ở {territory} xếp ngày nào lên đầu tuần?",
        ),
        (
            "Ở {territory}, tuần bắt đầu vào {day}.",
            "Lịch ở {territory} coi {day} là ngày đầu tiên của tuần.",
        ),
    ),
    "decimal-separator": (
        (
            "Khi viết số bằng {language}, dấu nào phân tách phần thập phân?",
            "{language} tách phần thập phân của một số như thế nào?",
            "Trong {language}, giữa phần nguyên và phần thập phân của một số có dấu gì?",
        ),
        (
            "Trong {language}, dấu thập phân của số là {separator}.",
            "Văn bản bằng {language} dùng {separator} để tách phần thập phân của số.",
        ),
    ),
}

SEPARATORS: Final[dict[str, str]] = {",": "dấu phẩy", ".": "dấu chấm"}
