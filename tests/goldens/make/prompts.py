"""Raw prompts for tokenizer/cases.json (name, raw)."""

NEGATIVE_ZH = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，"
    "丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，"
    "杂乱的背景，三条腿，背景人很多，倒着走"
)
NEGATIVE_EN = (
    "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, images, static, overall "
    "gray, worst quality, low quality, JPEG compression residue, ugly, incomplete, extra fingers, poorly drawn hands, "
    "poorly drawn faces, deformed, disfigured, misshapen limbs, fused fingers, still picture, messy background, three "
    "legs, many people in the background, walking backwards"
)
CATS = (
    "Two anthropomorphic cats in comfy boxing gear and bright gloves fight intensely on a spotlighted stage."
)

PLAIN = [
    "a cat", "A cat.", "a red ball bouncing on a wooden floor", CATS, NEGATIVE_EN, NEGATIVE_ZH,
    "A slow pan over a misty mountain lake at dawn, soft light, birds in the distance.",
    "Close-up of a watchmaker's hands; gears turning, dust in a beam of light.",
    "An old lighthouse on a cliff, waves crashing below, storm clouds gathering, 35mm film, 24 fps",
    "UPPER CASE PROMPT", "mIxEd CaSe", "don't can't won't it's", "e.g. i.e. etc. ...", "3.14159 2.2 14B 480p 720p 1280x720",
    "snake_case kebab-case CamelCase path/to/file.txt", "(parentheses) [brackets] {braces} <angles>",
    "one,two;three:four!five?six", "a  double  space", "   leading and trailing   ", "tab\tseparated\tvalues",
    "line one\nline two\nline three", "windows\r\nline\r\nends", "old mac\rline\rends", "many\n\n\n\nblank lines",
    "", " ", "     ", "\n", "\t \n \r\n", "x", "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "@user #tag $100 50% ^caret & ampersand *star* _under_ +plus =eq |pipe ~tilde `tick` \\back/slash \"dq\" 'sq'",
    "https://example.org/path?query=1&lang=en#top", "email@example.com", "C++20 and C# and F#",
    "supercalifragilisticexpialidocious antidisestablishmentarianism", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "qxj vwk zpq",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "the the the the the the the the the the the the the the the the the the the the", "0123456789 9876543210",
]

CHINESE = [
    "一只猫在草地上奔跑", "夕阳下的海边，一个女孩慢慢地走着。", "两只拟人化的猫穿着舒适的拳击装备，在聚光灯下的舞台上激烈搏斗。",
    "低质量，模糊", "中文 and English 混合 prompt", "「引号」《书名》【括号】、顿号；分号：冒号？问号！叹号…省略号—破折号",
    "　全角空格　在这里　", "繁體中文：龍、鳳、龜", "１２３ＡＢＣａｂｃ！？（）", "日本語のプロンプト、カタカナ ｶﾀｶﾅ",
    "한국어 프롬프트 고양이", "罕见字：龘靐齉爩",
]

MOJIBAKE = [
    "schÃ¶n", "â€œquotedâ€\x9d", "cafÃ©", "Ã¢â‚¬â„¢", "donâ€™t stop", "â€œHelloâ€ she said", "Ã©tÃ© Ã  la plage", "naÃ¯ve rÃ©sumÃ©",
    "l’humanitÃ©", "The Mona Lisa doesnÃƒÂ¢Ã¢â€šÂ¬Ã¢â€žÂ¢t have eyebrows.", "âœ” No problems", "â€¦ and so on", "price Â£5 â€“ â‚¬10",
    "ÐŸÑ€Ð¸Ð²ÐµÑ‚ Ð¼Ð¸Ñ€", "ä¸­æ–‡", "æ—¥æœ¬èªž", "ðŸ˜€ smile", "Ã\xa0 la carte", "voilÃ  le travail", "sÃ³", "Ã±andÃº",
    "IL Y MARQUÉ…", "Broken Ã text", "AHÅ™, the new sofa from IKEA®", "â\x80\x9cquoted\x94", "vÃ­deo em cÃ¢mera lenta",
    "Ã¼ber alles schÃ¶n â€“ grÃ¼n", "\x93smart quotes\x94 in cp1252 controls", "\x85 next line", "caf\xc3\xa9 bytes", "Ãºnico", "RÃ©alitÃ©",
    "100â€°", "Â©2024 Â®", "a â†’ b", "Ã—2 zoom", "â™¥ love", "Â°C", "10Â°", "mÃ¢le", "æ", "Ã", "Â", "â€", "é", "Ø²Ø¨Ø§Ù† text",
    "×©×œ×•×", "schön stays schön", "Ümlaut Ärger Öl ß", "œuvre Ÿ Š ž", "¡Hola! ¿Qué tal?", "l\u2019\u00e9t\u00e9 d\u00e9j\u00e0 vu",
]

ENTITIES = [
    "&amp;amp;", "&amp;", "&lt;b&gt;bold&lt;/b&gt;", "&lt;", "&eacute;t&eacute;", "&#39;quoted&#39;", "&#x27;hex&#x27;", "&notin;",
    "&nbsp;space&nbsp;", "&nbsp", "a&nbspb", "&amp;lt;double&amp;gt;", "&amp;amp;amp;", "&copy; &reg; &trade;", "&hellip; &mdash; &ndash;",
    "&quot;hello&quot;", "&apos;x&apos;", "&unknown;", "AT&T", "R&D; Q&A", "&#8217;", "&#x1F600;", "&#128512", "&#0;", "&#xD800;",
    "&#1114112;", "&#150;", "&#x80;", "&notit;", "&not;", "&ampamp;", "&EACUTE;", "&Eacute;", "fish &amp chips", "1 &lt 2 &gt 0",
    "<b>html &amp; tag</b>", "<p>&eacute;</p>", "&#;", "&#x;", "& ", "&", "&&&", "&rarr;&larr;&hearts;", "&zwj;&shy;&ensp;x", "&CounterClockwiseContourIntegral;",
    "&NotEqualTilde;", "&amp;#39;", "&amp;eacute;", "&Tab;tab&NewLine;line", "&#10;newline&#13;", "&#x200b;zw", "&#xFFFE;", "&#1;&#2;", "&nGt;",
]

UNICODE = [
    "“curly” ‘single’ „low“ ‚low‘ ‛x‟", "ﬁne ﬂow eﬃcient ﬀ ﬄ ﬅ", "ｆｕｌｌ　ｗｉｄｔｈ", "ﾊﾝｶｸ", "\x1b[31mred\x1b[0m text", "\x1b[1;32mbold\x1b[m",
    "bell\x07 back\x08 null\x00 del\x7f", "vertical\x0btab form\x0cfeed", "sep\x1c\x1d\x1e\x1f end", "nel\x85line", "zero\u200bwidth\u200cjoin\u200dx\u2060y",
    "no\u00a0break\u202fspace\u2009thin", "\ufeffbom at start", "bom\ufeffinside", "line\u2028sep para\u2029sep", "soft\u00adhyphen",
    "cafe\u0301 combining", "e\u0301\u0302 stacked", "A\u030a = Å = \u212b", "\u1112\u1161\u11ab\u1100\u1173\u11af jamo", "ṩ s\u0323\u0307 s\u0307\u0323",
    "😀😃😄", "👩\u200d👩\u200d👧\u200d👦 family", "👍🏽 skin", "🇫🇷🇯🇵 flags", "❤️ vs ❤", "①②③ ½ ¼ ² ³ ™ ℃ №", "㍿ ㌔ ㎏", "ⅷ Ⅷ ℌ 𝔥𝕖𝓁𝓁𝓸",
    "Ωμέγα ελληνικά", "Привет мир", "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดี", "Tiếng Việt đẹp quá", "ꙮ ꧁꧂", "\u202egnirts desrever\u202c",
    "\u200f\u200e marks", "a\u0300\u0301\u0302\u0303\u0304\u0305 zalgo", "\ufffd replacement", "\ue000 private", "\ufdd0 nonchar", "𝟘𝟙𝟚 digits", "… ‥ ․",
    "— – ‒ ― ‐ ‑ −", "′ ″ ‴ ‵", "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008 spaces", "\u3000ideographic\u3000", "\u1680ogham", "\u180emongolian",
    "ŉ ĳ ŀ ǆ ſ", "İstanbul ıI", "ß ẞ", "\u2581 lower block \u2581\u2581x", "▁under▁score", "<0x41> literal byte piece", "~ ～ 〜", "¥ ￥ ￦ ￠", "\U0001F9D1\U0001F3FE\u200d\U0001F680",
    "ｱﾞ ﾊﾟ", "\u0130", "\u037e greek ?", "\ufb1d\ufb2a", "\u0958 \u09dc", "\u2126 \u212a", "tr\u00e8s\u0020\u0300", "\u00a0", "\u200b", "\ufe0f", "\x00", "\u0301", "\U000E0001tag\U000E007F",
]

SPECIAL = [
    "literal </s> inside", "<pad> and <unk>", "</s>", "<s> start",
]

LONG = [
    " ".join(f"{CATS} Part {i}: {NEGATIVE_EN}" for i in range(1, 9)),
    NEGATIVE_ZH * 6,
    "word " * 700,
    "é" * 600,
]


def all_prompts():
    groups = [("plain", PLAIN), ("zh", CHINESE), ("mojibake", MOJIBAKE), ("entity", ENTITIES), ("unicode", UNICODE),
              ("special", SPECIAL), ("long", LONG)]
    return [(f"{g}{i:02d}", raw) for g, items in groups for i, raw in enumerate(items)]
