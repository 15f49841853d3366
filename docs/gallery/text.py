import instashap
from instashap.text import TextExplainer

WEIGHTS = {"warm": 1.2, "funny": 1.5, "dull": -2.0, "slow": -0.8, "never": 0.2}


def judge(texts):
    plain = [sum(WEIGHTS.get(word.strip(",."), 0.0) for word in text.split()) for text in texts]
    return [value + 3.0 * ("never dull" in text) for value, text in zip(plain, texts, strict=True)]


explanation = TextExplainer(judge).explain(["A slow but warm film, funny in places and never dull."], n_coalitions=2048)

ax = instashap.plots.plot_text(explanation[0])
ax.figure.savefig("text.png")
