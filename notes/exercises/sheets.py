"""What a printed page shows beside the task: the equation, and a figure or a drawing in letters."""

from typing import NamedTuple


class Sheet(NamedTuple):
    """equation: in plain text or Markdown's mathematics. figure: a file below notes/, or "".

    caption: of the figure. drawing: lines of text, to read or to fill in.
    """

    equation: str
    figure: str = ""
    caption: str = ""
    drawing: str = ""


TREE = """
                              ┌─ cat ── . ── [EOS]
  [SOS] ── [V]_1 ── … ── [V]_M ┤
                              └─ red ── rose ── . ── [EOS]
"""
EMPTY_MASK = """
  may the row look      |  key 0  |  key 1  |  key 2  |  key 3  |
  at the column?        |  [SOS]  |   a     |  cat    |  [EOS]  |
  query 0   [SOS]       |         |         |         |         |
  query 1   a           |         |         |         |         |
  query 2   cat         |         |         |         |         |
  query 3   [EOS]       |         |         |         |         |
"""
PATCHES = """
  picture 8 x 8, patches 4 x 4          sequence (write the patches' letters)

  +-----+-----+
  |  A  |  B  |                         [      ] [      ] [      ] [      ] [      ]
  +-----+-----+
  |  C  |  D  |
  +-----+-----+
"""
SPLICE = """
  end       [SOS] [V]_1 [V]_2 [V]_3 [V]_4  cat  .  [EOS]
  middle    [SOS] ______________________________________
  front     [SOS] ______________________________________
"""
EOS = """
  id         1334   320  1148  1335     0     0     0
  position      0     1     2     3     4     5     6
                               ^ the text's feature is read here. Why not at 6?
"""
CSC = """
  unified          [V]_1 … [V]_4 cat        [V]_1 … [V]_4 dog
  class-specific   [V]_1 … [V]_4 cat        [V]_5 … [V]_8 dog
"""
AXES = """
  lr  |
      |
      |
 lr/2 |
      |
      |
 1e-5 +---+---+---+---+---+---+---+---+---+---
      0   1   2   3   4   5   6   7   8   9    epoch
"""
SAMPLE = """
  label of each training picture   2  0  0  2  0  2  1
  order of first appearance        __ __ __
  2 shots of each, labels          __ __ __ __ __
"""
META_NET = """
  f [B, E] ── normalise ── linear E → E/16 ── ReLU ── linear E/16 → D_t ── pi [B, D_t]
                                                                              │
  v_1 … v_M [M, D_t] ───────────────────────────────────────────────────── ( + ) ── v(x) [_, _, _]
"""
LAYERS = """
  layer 1   [CLS]  P P P P  z z z z z          layer 2   [CLS]  _ _ _ _  z z z z z
  VPT-shallow: what stands at _ ?  ____________________
  VPT-deep:    what stands at _ ?  ____________________
"""
THETA = """
  U ──┬── SA ──── ( + ) ── U' ── LN ──┬── FFN ── ( + ) ── U-hat
      └── ____ ─────┘                 └── ____ ────┘        (fill in the residuals)
"""
HALVES = """
  K = 5     labels   0  1  2 | 3  4        base: ____ classes, labels 0 to ____
                                           new:  ____ classes, labels 0 to ____
"""
MEANS = """
  base   new    plain mean   H
   80     60    ______       ______
   70     69    ______       ______
  100      0    ______       ______
"""
FOREST = """
  prompts 7 8 1 9  and  7 8 2 9          row sees column?
                                          7  8  1  9  2  9
        ┌─ 1 ── 9                      7  _  _  _  _  _  _
  7 ── 8 ┤                             8  _  _  _  _  _  _
        └─ 2 ── 9                      1  _  _  _  _  _  _
                                       9  _  _  _  _  _  _
                                       2  _  _  _  _  _  _
                                       9  _  _  _  _  _  _
"""
EXPERIMENT = """
  my experiment     ______________________________________________
  I expected        ______________________________________________
  I saw             ______________________________________________
  so the mistake is ______________________________________________
"""
COSINE = r"$$p(y=i \mid x) = \frac{\exp(\cos(w_i, f)/\tau)}{\sum_j \exp(\cos(w_j, f)/\tau)}$$"
EQ_5 = r"""$$U' = \mathrm{SA}(U) + \mathrm{LN}(U)$$

$$\hat U = \mathrm{FFN}(\mathrm{LN}(U')) + \mathrm{LN}(U')$$"""
EQ_4 = r"$$[c^{i+1}, \_, Z^{i+1}] = l_i([c^i, V^i, Z^i])$$"
ATTENTION = r"""$$\mathrm{softmax}\left(\frac{Q K^\top}{\sqrt d} + M\right) V$$

$$M_{qk} = 0 \text{ where query q may look at key k, and } -\infty \text{ elsewhere}$$"""

SHEETS = {
    1: Sheet("l o w</w> with the merge (l, o) becomes lo w</w>"),
    2: Sheet(ATTENTION, drawing=EMPTY_MASK),
    3: Sheet(r"$$x = \mathrm{LN}([\mathrm{cls}, E z_1, \ldots, E z_S] + p)$$", drawing=PATCHES),
    4: Sheet(COSINE, "figures/sphere-toy-flowers.png",
             "Features of pictures and class vectors on a sphere: only their directions count."),
    5: Sheet(r"""$$\bar w_i = \frac{1}{T} \sum_t \frac{g(t_i)}{|g(t_i)|}$$

$$w_i = \frac{\bar w_i}{|\bar w_i|}$$"""),
    6: Sheet(r"""$$t = [V]_1 \ldots [V]_M [\mathrm{CLASS}]$$

$$t = [V]_1 \ldots [V]_{M/2} [\mathrm{CLASS}] \ldots [V]_M$$""", drawing=SPLICE),
    7: Sheet(r"$$g(t) = \mathrm{LN}(x_{[\mathrm{EOS}]}) W$$", drawing=EOS),
    8: Sheet(r"$$[V]_1^i [V]_2^i \ldots [V]_M^i \neq [V]_1^j [V]_2^j \ldots [V]_M^j$$",
             drawing=CSC),
    9: Sheet(r"$$\frac{\mathrm{lr}}{2} (1 + \cos \pi x)$$ with x = ________ in epoch e of E",
             drawing=AXES),
    10: Sheet("One stream of random numbers: first all training pictures, then all validation "
              "ones.", drawing=SAMPLE),
    11: Sheet(r"$$v_m(x) = v_m + \pi, \qquad \pi = h_\theta(x)$$", drawing=META_NET),
    12: Sheet("B · K · 77 tokens in each block, or B · T: one for each different beginning",
              "figures/tree.svg", "A tree of prompts, and its mask.", TREE),
    13: Sheet(EQ_4, drawing=LAYERS),
    14: Sheet(EQ_5, drawing=THETA),
    15: Sheet(EQ_5, drawing=EXPERIMENT),
    16: Sheet(r"""$$\mathrm{Var}_v = \frac{1}{k} \sum_c \frac{1}{|X_c|} \sum_x (f(x) - \bar f_c)^2$$

$$\mathrm{Var}_t = \frac{1}{k} \sum_c (w_c - \bar w)^2$$""", "figures/variance.svg",
              "Gain of two methods over zero-shot, beside both variances."),
    17: Sheet("base: the first ceil(K/2) labels; new: the others, which count from 0 again",
              "base-to-new.svg", "Base and new classes, by method.", HALVES),
    18: Sheet(r"$$H = \frac{2 b n}{b + n}$$", drawing=MEANS),
    19: Sheet(COSINE, drawing=EXPERIMENT),
    20: Sheet(r"$$\hat T^i = [t_1^i, \ldots, t_m^i, \mathrm{CLASS}]$$ in each layer i",
              drawing=EXPERIMENT),
    21: Sheet(r"$$v_m(x) = v_m + h_\theta(x)$$", drawing=EXPERIMENT),
    22: Sheet("T and V from at most 3,000 learned numbers", "few-shot.svg",
              "What the methods of this project reach."),
    23: Sheet(r"$$M_{qk} = \mathrm{True} \iff k \text{ is an ancestor of } q \text{, or } k = q$$",
              drawing=FOREST),
    24: Sheet(EQ_5, drawing=EXPERIMENT),
    25: Sheet(r"$$x = (\mathrm{pixel}/255 - \mathrm{mean}) / \mathrm{std}$$ for each colour",
              drawing=EXPERIMENT),
    26: Sheet("same result = same options, recipe, seed, weights, pictures, and same code",
              drawing=EXPERIMENT),
}
