"""What another year gets instead: `--variant SEED`, where SEED is 0, 1 or 2.

Seed 0 is tasks.py as it is. The others plant another mistake in a hunt. In exercises 1, 9, 11 and
18 the question on paper has other names and numbers, on the page and in `show`; the file and the
check stay the same. Other exercises stay as they are. The checks need not know: they test for what
is right.
"""

from typing import NamedTuple

from notes.exercises.tasks import EXERCISES


class Variant(NamedTuple):
    """planted: another mistake. words: {words of the page: what stands in their place}.

    answer: to the task's question, for the teacher.
    """

    planted: tuple = ()
    words: dict = {}
    answer: str = ""


SEEDS = 3
COUNTS = """(The project's: 35,360 with the
biases; CoCoOp Table 5 counts 34,816 without them.)"""
PAIRS = "one with 80 and 60, or one with 70 and 69"
AXIS = """---+---+---+---+---+---+---+---+---+---
      0   1   2   3   4   5   6   7   8   9 """  # of the page of exercise 9


def axis(epochs):
    """The axis of that page for fewer epochs."""
    return "---+" * (epochs - 1) + "---\n      " + "".join(f"{e:<4}" for e in range(epochs))


def planted(place, *wrong):
    """A place and two wrong statements for it → two variants of a hunt."""
    return tuple(Variant(planted=(place, each)) for each in wrong)


VARIANTS = {
    1: (Variant(words={"(b, c</w>), (a, b)": "(o, n), (n, e</w>), (on, e</w>)", '"abc"': '"one"'},
                answer="one</w>: (o, n) is first, then (on, e</w>)."),
        Variant(words={"(b, c</w>), (a, b)": "(a, n), (an, a</w>), (b, an)", '"abc"': '"banana"'},
                answer="ban ana</w>: (a, n) joins both an, (an, a</w>) is next, then (b, an).")),
    9: (Variant(words={"E = 10": "E = 6", AXIS: axis(6)}),
        Variant(words={"E = 10": "E = 4", AXIS: axis(4)})),
    11: (Variant(words={"E = D_t = 512 and M = 4": "E = 768, D_t = 768 and M = 16",
                        COUNTS: "(With the biases.)"},
                 answer="86,832: M·D_t + E·E/16 + E/16 + E/16·D_t + D_t."),
         Variant(words={"E = D_t = 512 and M = 4": "E = 640, D_t = 512 and M = 8",
                        COUNTS: "(With the biases.)"},
                 answer="50,728: M·D_t + E·E/16 + E/16 + E/16·D_t + D_t.")),
    15: planted("UPT.prompts", """
        halves = [self.theta(U) for U in self.U.split(self.n_ctx, dim=1)]
        U_t, U_v = halves  # [depth, n, D_t] each
        return U_t[: self.text_depth], self.to_visual(U_v)""", """
        U_hat = self.theta(self.U.flatten(0, 1)[:, None]).view_as(self.U)  # [depth, 2n, D_t]
        U_t, U_v = U_hat.split(self.n_ctx, dim=1)  # [depth, n, D_t] each
        return U_t[: self.text_depth], self.to_visual(U_v)"""),
    18: (Variant(words={PAIRS: "one with 90 and 50, or one with 68 and 65",
                        "   80     60": "   90     50", "   70     69": "   68     65"},
                 answer="90 and 50 give 64.3, 68 and 65 give 66.5; the high half does not help."),
         Variant(words={PAIRS: "one with 95 and 40, or one with 60 and 58",
                        "   80     60": "   95     40", "   70     69": "   60     58"},
                 answer="95 and 40 give 56.3, 60 and 58 give 59.0; the high half does not help.")),
    19: planted(("CoOp.classify", "return"), """
        f, w = image_features, self.class_weights()  # [B, E], [K, E]
        f, w = nn.functional.normalize(f, dim=0), nn.functional.normalize(w, dim=-1)
        return self.clip.logit_scale.exp() * f @ w.T""", """
        f, w = image_features, self.class_weights()  # [B, E], [K, E]
        f, w = f / f.norm(dim=-1, keepdim=True), w / w.norm()
        return self.clip.logit_scale.exp() * f @ w.T"""),
    20: planted(("UPT.class_weights", "return"),
                "return encode_trees(self.clip, self.trees, T[:1], deeper=T[1:-1]).squeeze(0)",
                "return encode_trees(self.clip, self.trees, T[:1], "
                "deeper=T[1:].flip(1)).squeeze(0)"),
    21: planted(("CoCoOp.classify", "found"),
                "means = [x.mean(dim=0, keepdim=True) for x in parts]\nfound = [cosines(x, "
                "self.class_weights(self.context(m))) for x, m in zip(parts, means)]",
                "found = [cosines(x, self.class_weights(self.context(x)).flip(0)) for x in parts]"),
    25: planted(("Preprocess.to_tensor", "scale, shift"),
                "scale, shift = scale_and_shift(self.mean, STD)",
                "scale, shift = scale_and_shift(MEAN, self.std)"),
    26: planted(("digest_of_text", "return"), """
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                del node.body[0]
        return hashlib.sha256(repr(outline(tree)).encode()).hexdigest()""", """
        tree = ast.parse(text)
        return hashlib.sha256(repr(outline(tree.body[-1:])).encode()).hexdigest()"""),
}


def exercise_of(number, seed=0):
    """A number and a variant's seed → the Exercise of this variant, and its Variant.

    Raises ValueError for a seed that there is not.

    >>> exercise_of(9, 0)[0] == EXERCISES[9], "E = 6" in exercise_of(9, 1)[0].task
    (True, True)
    """
    if seed not in range(SEEDS):
        raise ValueError(f"There is no variant {seed}: choose 0, 1 or 2.")
    variant = (Variant(), *VARIANTS.get(number, (Variant(),) * (SEEDS - 1)))[seed]
    exercise = EXERCISES[number]
    task = with_words(exercise.task, variant)
    return exercise._replace(task=task, planted=variant.planted or exercise.planted), variant


def with_words(text, variant):
    """A text of the page → the same with the variant's words."""
    for old, new in variant.words.items():
        text = text.replace(old, new)
    return text
