"""Training text of the small sentencepiece model: plain descriptive sentences, written for this purpose."""

from prompts import NEGATIVE_EN, NEGATIVE_ZH

SUBJECTS = ["a cat", "two cats", "an old dog", "a small bird", "the red ball", "a young woman", "a man in a long coat", "a child",
            "the white horse", "a fishing boat", "a steam train", "the lighthouse", "a paper kite", "a robot", "a yellow taxi"]
VERBS = ["runs", "walks slowly", "is jumping", "stands still", "turns around", "moves", "falls", "flies", "drifts", "is dancing",
         "sleeps", "waits", "fights intensely", "looks at the camera", "plays with a ball"]
PLACES = ["on a wooden floor", "in the green forest", "by the sea at sunset", "under heavy rain", "over a misty mountain lake",
          "on a spotlighted stage", "through a crowded market", "in a quiet kitchen", "across the snow", "along the railway",
          "in front of a brick wall", "at night in the city", "beneath a clear blue sky", "between tall buildings", "on the moon"]
STYLES = ["soft light", "cinematic lighting, shallow depth of field", "hand drawn animation", "black and white film, 24 fps",
          "slow motion, 4k", "watercolor style", "close-up shot", "the camera pans from left to right", "bright colors",
          "low quality, blurred details", "golden hour, warm tones", "a wide shot with a static camera"]
SENTENCES_ZH = ["一只猫在草地上奔跑。", "夕阳下的海边，一个女孩慢慢地走着。", "两只猫在舞台上搏斗。", "镜头从左向右移动，画面清晰，光线柔和。",
                "下雨的城市，夜晚，车灯，人们打着伞走过。", "高质量的画面，细节清楚，背景干净。", "小鸟飞过蓝色的天空。", "老人在厨房里做饭，静态镜头。"]
OTHER = ["Don't stop, it's only a test; isn't it?", "I'm here, you're there, they've gone.", "Numbers: 0 1 2 3 4 5 6 7 8 9, 10, 16, 24, 480p, 720p, 1280x720.",
         "(parentheses) [brackets] and \"quotes\" - dashes / slashes & more!", "café, naïve, résumé, über, schön, été, ñandú",
         "The quick brown fox jumps over the lazy dog.", "Pack my box with five dozen liquor jugs.", "THE CAMERA MOVES FORWARD. A CAT. B C D E F G H I J K L"]


def sentences():
    out = []
    n = 0
    for i, s in enumerate(SUBJECTS):
        for j, v in enumerate(VERBS):
            place = PLACES[(i + 2 * j) % len(PLACES)]
            style = STYLES[(3 * i + j) % len(STYLES)]
            text = f"{s} {v} {place}, {style}."
            out.append(text[0].upper() + text[1:] if n % 3 else text)
            n += 1
    return out + SENTENCES_ZH * 4 + OTHER * 4 + [NEGATIVE_EN, NEGATIVE_ZH] * 4
