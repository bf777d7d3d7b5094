"""What another year gets instead: `--variant SEED`.

Seed 0 is tasks.py as it is. Other seeds plant another mistake in a hunt, and ask a task's question
with other names and numbers. An exercise without variants stays as it is. The checks need not know:
they test for what is right.
"""

from typing import NamedTuple

from notes.exercises.tasks import EXERCISES


class Variant(NamedTuple):
    """planted: another mistake. words: {words of the task: what stands in their place}.

    answer: to the task's question, for the teacher.
    """

    planted: tuple = ()
    words: dict = {}
    answer: str = ""


COUNTS = """(The project's: 35,360 with the
biases; CoCoOp Table 5 counts 34,816 without them.)"""
PAIRS = "one with 80 and 60, or one with 70 and 69"
VARIANTS = {
    1: (
        Variant(
            words={"(b, c</w>), (a, b)": "(o, n), (n, e</w>), (on, e</w>)", '"abc"': '"one"'},
            answer="one</w>: (o, n) is first, then (on, e</w>).",
        ),
        Variant(
            words={"(b, c</w>), (a, b)": "(a, n), (an, a</w>), (b, an)", '"abc"': '"banana"'},
            answer="ban ana</w>: (a, n) joins both an, (an, a</w>) is next, then (b, an).",
        ),
    ),
    9: (Variant(words={"E = 10": "E = 6"}), Variant(words={"E = 10": "E = 4"})),
    11: (
        Variant(
            words={
                "E = D_t = 512 and M = 4": "E = 768, D_t = 768 and M = 16",
                COUNTS: "(With the biases.)",
            },
            answer="86,832: M·D_t + E·E/16 + E/16 + E/16·D_t + D_t.",
        ),
        Variant(
            words={
                "E = D_t = 512 and M = 4": "E = 640, D_t = 512 and M = 8",
                COUNTS: "(With the biases.)",
            },
            answer="50,728: M·D_t + E·E/16 + E/16 + E/16·D_t + D_t.",
        ),
    ),
    15: (
        Variant(
            planted=(
                ("Theta.self_attention", "mixed 1"),
                """
                q, k, v = (x.transpose(0, 2) for x in (q, k, v))
                mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(0, 2)
                """,
            )
        ),
        Variant(
            planted=(
                ("Theta.self_attention", "mixed 1"),
                """
                q, k, v = (x.unsqueeze(-2) for x in (q, k, v))
                mixed = nn.functional.scaled_dot_product_attention(q, k, v).squeeze(-2)
                """,
            )
        ),
    ),
    18: (
        Variant(
            words={PAIRS: "one with 90 and 50, or one with 68 and 65"},
            answer="90 and 50 give 64.3, 68 and 65 give 66.5; the high half does not help.",
        ),
        Variant(
            words={PAIRS: "one with 95 and 40, or one with 60 and 58"},
            answer="95 and 40 give 56.3, 60 and 58 give 59.0; the high half does not help.",
        ),
    ),
    19: (
        Variant(
            planted=(
                ("CoOp.classify", "return"),
                """
                f = nn.functional.normalize(image_features, dim=0)
                weights = nn.functional.normalize(self.class_weights(), dim=-1)  # [K, E]
                return self.clip.logit_scale.exp() * f @ weights.T
                """,
            )
        ),
        Variant(
            planted=(
                ("CoOp.classify", "return"),
                """
                f, weights = image_features, self.class_weights()  # [B, E], [K, E]
                f, weights = f / f.norm(dim=-1, keepdim=True), weights / weights.norm()
                return self.clip.logit_scale.exp() * f @ weights.T
                """,
            )
        ),
    ),
    20: (
        Variant(
            planted=(
                ("UPT.class_weights", "return"),
                "return encode_trees(self.clip, self.trees, T[:1], deeper=T[1:-1]).squeeze(0)",
            )
        ),
        Variant(
            planted=(
                ("UPT.class_weights", "return"),
                """
                deeper = T[1:].flip(1)
                return encode_trees(self.clip, self.trees, T[:1], deeper=deeper).squeeze(0)
                """,
            )
        ),
    ),
    21: (
        Variant(
            planted=(
                ("CoCoOp.context", "return"),
                "return self.ctx + pi.mean(dim=0).expand_as(pi)[:, None]",
            )
        ),
        Variant(
            planted=(
                ("CoCoOp.context", "return"),
                "return self.ctx + pi.flip(0)[:, None]  # v_m + pi",
            )
        ),
    ),
    25: (
        Variant(
            planted=(
                ("scale_and_shift", "shift"),
                "shift = np.array([-m for m in mean], dtype=np.float32)",
            )
        ),
        Variant(
            planted=(
                ("Preprocess.to_tensor", "scale, shift"),
                "scale, shift = scale_and_shift(self.mean[::-1], self.std[::-1])",
            )
        ),
    ),
    26: (
        Variant(
            planted=(
                ("digest_of_code", "if"),
                """
                if isinstance(node, DOCUMENTED):
                    del node.body[0]
                """,
            )
        ),
        Variant(
            planted=(
                ("digest_of_code", "digest.update"),
                "digest.update(str(sorted(ast.dump(node) for node in tree.body)[:1]).encode())",
            )
        ),
    ),
}


def exercise_of(number, seed=0):
    """A number and a variant's seed → the Exercise of this variant, and its Variant.

    >>> exercise_of(9, 0)[0] == EXERCISES[9], "E = 6" in exercise_of(9, 1)[0].task
    (True, True)
    """
    exercise, choices = EXERCISES[number], (Variant(), *VARIANTS.get(number, ()))
    variant = choices[seed % len(choices)]
    task = exercise.task
    for old, new in variant.words.items():
        task = task.replace(old, new)
    return exercise._replace(task=task, planted=variant.planted or exercise.planted), variant
