"""The exercises: what is asked, and which lines are taken out.

Places in a file are named as cut.py says. checks/ has the check of each number, variants.py what
another year gets instead, tests/golden/answers wrong and right answers for each. This file is long
because it is a table.
"""

from typing import NamedTuple


class Exercise(NamedTuple):
    """One exercise.

    minutes: a guess for a student who has read the paper; not yet measured. why: beside the
    solution. needs: numbers of the exercises to do first. blanks: places that the student fills.
    planted: (place, wrong statement) of a bug hunt. hides: patterns of functions of the file that
    show what other exercises ask for, in another file or under another name.
    """

    title: str
    file: str
    task: str
    hint: str
    minutes: int
    why: str
    needs: tuple = ()
    blanks: tuple = ()
    planted: tuple = ()
    hides: tuple = ()


TREE_FILE = "clip_min/prompting/tree.py"
UPT_HIDES = ("UPT.encode_image", "UPT.classify")

LIST = [
    Exercise(
        "Tokenizer: merges by hand", "clip_min/tokenizer.py", """
On paper first: with the merges (b, c</w>), (a, b), in this order of learning, what becomes of the
word "abc"? Then write `merge_pair`, which joins every occurrence of one pair, and
`Tokenizer.merge`, which decides which pair is next.
Read: the top of clip_min/tokenizer.py.""",
        "The pair that was learned first goes first, wherever in the word it stands. `self.rank` "
        "gives the order.", 25,
        "Two neighbours that are joined are used up, so i moves on by two. `min` by rank finds the "
        "pair that was learned first; a pair without a rank ends the loop.",
        blanks=("merge_pair", "Tokenizer.merge")),
    Exercise(
        "Attention: the causal mask", "clip_min/model.py", """
In the text tower a token may look at itself and at what stands before it. Write `causal_mask`:
[length, length], True where the token of a row (the query) may look at the token of a column (the
key).""",
        "Compare two ranges of positions. The queries need an axis of their own: the comparison "
        "then gives a matrix.", 20,
        "A key may be seen if its position is not larger than the query's. The axis [:, None] puts "
        "the queries into rows.",
        blanks=("causal_mask",)),
    Exercise(
        "Vision transformer: patch embedding", "clip_min/model.py", """
Write `VisionTransformer.embed`: cut the pictures into patches (the convolution `conv1` has a stride
as long as its kernel, so it does this), make a sequence of them, put the class token first, add
positions, apply `ln_pre`.""",
        "conv1 gives [B, D, rows, columns]. A sequence is [B, S, D]: the first row of patches "
        "comes first.", 15,
        "flatten(2) joins rows and columns to one axis, row by row; transpose puts it before the D "
        "numbers of a patch. The class token has a position, too.",
        blanks=("VisionTransformer.embed",)),
    Exercise(
        "CoOp Eq. (1): cosine and temperature", "prompts/zero_shot.py", """
Write `ZeroShot.classify`, and compute the cosines yourself, without `cosines`. `self.weights`
[K, E] holds the class vectors, already of length 1. Return logits, not probabilities.
Question: what does a smaller tau do to p(y|x), and what does it do to the accuracy?""",
        "`logit_scale` is log(1/tau). A cosine does not change when a vector gets longer.", 15,
        "The project's `cosines` does what you write: it divides each feature by its own length "
        "and multiplies matrices. exp(logit_scale) is 1/tau.",
        blanks=("ZeroShot.classify",)),
    Exercise(
        "Prompt ensembling", "prompts/zero_shot.py", """
Several sentences for each class, one vector for each class. Write `ZeroShot.set_classes`, which
keeps `weights` [K, E] with `self.register_buffer("weights", ..., persistent=False)`.
`self.templates` holds the sentences, with {} for the name; `word_vectors` gives the features of
one. Class names may hold underscores: `readable_names` replaces them.""",
        "Normalise each sentence's feature, average over the templates, normalise again. Nothing "
        "here is learned.", 20,
        "Each sentence counts as a direction, so its length is taken away before the average. The "
        "mean of unit vectors is shorter than 1, so it is normalised again.",
        needs=(4,), blanks=("ZeroShot.set_classes",)),
    Exercise(
        "CoOp Eqs. (2), (4): the splice", TREE_FILE, """
A prompt is a list of symbols: ids of tokens, and -1, -2, … for the first, second, … context vector.
In `splice`, write what happens for one class: put the context before the name ("end"), or half of
it before and half after it ("middle"), and append the list to `prompts`. The order in the middle is
[SOS] [V].. name [V].. full stop [EOS]. Then write `embed`, which turns symbols into vectors.""",
        "`before` context vectors stand before the name. Encode the name with its full stop, and "
        "cut: the tokens of the name come first. In `embed`, torch.where chooses.", 35,
        "One list holds ids and context vectors side by side; the sign tells them apart. `clamp` "
        "keeps both indices legal where the other one is meant, and torch.where chooses.",
        needs=(5,), blanks=(("splice", "first", "prompts.append"), "embed")),
    Exercise(
        "Where is [EOS]?", "clip_min/model.py", """
A text's feature is read at its [EOS]. Write `CLIP.encode_text`: find [EOS] in each text, run the
blocks (`self.transformer(x, mask)`), read that position, and give it to `pool_text`. Texts of a
batch end at different places, and zeros follow.
Question: why must a method with learned vectors find [EOS] in the ids, never in the embeddings?""",
        "[EOS] has the largest id of all.", 15,
        "argmax finds the largest id, which is [EOS], in each row. Id 0 is a token, too, so zeros "
        "do not show where the padding begins.",
        needs=(2,), blanks=("CLIP.encode_text",)),
    Exercise(
        "CoOp: class-specific context", "prompts/coop.py", """
Give each class M vectors of its own (CoOp Sec. 3.1, CSC). Write the lines of `CoOp.__init__` that
turn the one context into K of them: random ones differ from class to class, words are the same for
all. Then write `plain_class_weights`, and the first line of `class_weights`: both need the context
as one list of vectors. The symbol -1 stands for the first of the list, and class i has the vectors
i·M + 1 to i·M + M.
Question: what do the prompts of all classes have in common now, and what does that do to the
speed?""",
        "K contexts must not lie in the same memory. `flatten` joins axes that are neighbours. In "
        "`plain_class_weights`: `embed`, positions, blocks, and the rows at [EOS].", 30,
        "`repeat` copies, `expand` does not: with `expand` all classes would learn one context. "
        "flatten(0, -2) lists class 0's vectors first, then class 1's, as the symbols count them.",
        needs=(6, 7), blanks=(("CoOp.__init__", "if class_specific"), "CoOp.plain_class_weights",
                              ("CoOp.class_weights", "context"))),
    Exercise(
        "The learning-rate schedule", "train.py", """
Write `learning_rate`: 1e-5 in epoch 0 (warm-up), then a cosine from lr down (CoOp Sec. 3.1). The
published scheduler starts the cosine after the warm-up and still divides by all E epochs. Sketch it
for E = 10 before you write it.""",
        "lr · (1 + cos(pi · x)) / 2, where x is 0 in epoch 1.", 10,
        "x = (epoch - 1) / epochs. The last epoch has x = (E - 2) / E, so the rate does not quite "
        "reach 0, as in the published scheduler.",
        blanks=("learning_rate",)),
    Exercise(
        "The few-shot sampler", "clip_min/data/datasets.py", """
Write `sample_per_class`, and the lines of `few_shot` that call it. The sample must be that of
CoOp's code, picture for picture: classes in order of first appearance, `shots` of each without
replacement, a small class gives all it has; then min(shots, 4) validation pictures of each class,
with what follows in the same stream of random numbers.""",
        "One random.Random(seed) for both parts; `stream.sample` draws without replacement.", 20,
        "A dictionary keeps the order of first appearance. Every draw moves the stream on, so what "
        "is drawn, and in which order, must be the same as in CoOp's code.",
        blanks=("sample_per_class", ("few_shot", "stream", "val"))),
    Exercise(
        "CoCoOp Eq. (3): the Meta-Net", "prompts/cocoop.py", """
Write the Meta-Net in `CoCoOp.__init__` (linear E → E/16, ReLU, linear E/16 → D_t; call it
`self.meta_net`) and `CoCoOp.context`: v_m(x) = v_m + pi.
Question: how many numbers are learned with E = D_t = 512 and M = 4? (The project's: 35,360 with the
biases; CoCoOp Table 5 counts 34,816 without them.)""",
        "pi is [B, D_t] and ctx is [M, D_t]: give pi an axis for M. The Meta-Net reads features of "
        "length 1.", 20,
        "pi[:, None] is [B, 1, D_t]: one pi for all M vectors of a picture. Without the axis, pi "
        "of picture m would be added to vector m, and with B = M no error would come.",
        needs=(6,), blanks=(("CoCoOp.__init__", "self.meta_net", "linear2"), "CoCoOp.context"),
        hides=("CoCoOp.plain_class_weights",)),
    Exercise(
        "Why CoCoOp is slow, and the tree", TREE_FILE, """
`CoCoOp.plain_class_weights` encodes B · K whole prompts of 77 tokens, padding and all. Under the
causal mask, prompts that begin alike are alike up to where they part. So each different beginning
needs one token only, and all prompts together become one sequence, a tree (exercise 23). Write
`encode_trees`, which runs the text tower on such trees: `symbols`, `position`, `eos` and `mask` of
a PromptTree are what you need. The check counts the tokens that your blocks read.
Question: why is this exact, and why would it be wrong in the image tower?""",
        "Each token has the position that it has in its own prompt. The blocks take `tree.mask`. "
        "Read the rows at `tree.eos`. `deeper` may wait until the rest is right.", 45,
        "The blocks do not know of the tree: they get x and a mask. The position is that in the "
        "own prompt, since that is where the token would stand alone. layers(rows=tree.eos) gives "
        "a last block that computes only the rows that are read; `resblocks` and x[:, tree.eos] "
        "are as right.",
        needs=(6, 7, 23), blanks=("encode_trees",)),
    Exercise(
        "UPT Eqs. (3), (4): VPT from shallow to deep", "prompts/vpt.py", """
Write `VPT.encode_image`. `self.V` [depth, n, D_v] holds prompts for the first `depth` layers. They
enter between [CLS] and the patches. Before a layer that has prompts of its own, what came out in
the place of the old ones is thrown away. After the last layer with prompts, what comes out goes on
through the tower (VPT-shallow is depth = 1). `self.before_ln_pre`: the prompts of the first layer
pass through `visual.ln_pre`. `visual.transformer.resblocks` are the layers; what `layers` and CLS
save (the last layer computes only the rows that are read) may wait until the rest is right.""",
        "[CLS] is x[:, :1], and the patches are the last ones. Read [CLS] at the end with "
        "`visual.pool`.", 30,
        "x[:, -patches:] are the patches, whether prompts stand before them or not. So one line "
        "inserts the first prompts and replaces the later ones.",
        needs=(3,), blanks=("VPT.encode_image",), hides=("VPT.classify",)),
    Exercise(
        "UPT Eq. (5): theta", "prompts/upt.py", """
Write self-attention over the 2n prompts of each layer (`Theta.self_attention`) and both lines of
Eq. (5) in `Theta.forward`. With attention="literal" SA reads U, as the equation says; with "normed"
it reads LN(U). Your lines end with `U_hat`. `self.ln_1` and `self.ln_2` are the LN of the first and
of the second line. Look closely at the equation: which residuals are normalised? `self.dropout`
acts on what SA and FFN give.""",
        "U is [depth, 2n, D]: the 2n prompts are the sequence. Heads are slices of D. Both "
        "residuals go through an LN.", 35,
        "unflatten and transpose give [depth, H, 2n, D/H]: attention runs along the 2n prompts, "
        "and neither the layers nor the heads mix. Eq. (5) adds LN(U) and LN(U'), not U and U'.",
        needs=(2, 13), blanks=(("Theta.self_attention", "unflatten", "return"),
                               ("Theta.forward", "# UPT Eq. (5)")), hides=UPT_HIDES),
    Exercise(
        "Attention that mixes no prompts: find it", "prompts/upt.py", """
Nothing is blank here: one mistake is planted in UPT, and it trains without an error. The idea of
Eq. (5) is lost: not all prompts of a layer see each other. Find out how you could have noticed
(change one prompt; which others change?), then find the line and correct it. Look with
attention="normed": with "literal" even the right code moves the others by less than a percent of
their length (exercise 24 measures it). notes/upt.md tells where such a mistake has been made.""",
        "Which axis of U is the sequence, and which one is the batch?", 30,
        "theta takes [depth, 2n, D]: its batch is the depth, its sequence the 2n prompts. What is "
        "cut or turned before theta sees U does not meet there.",
        needs=(14,), hides=UPT_HIDES, planted=("UPT.prompts", """
U_hat = self.theta(self.U.transpose(0, 1)).transpose(0, 1)  # [depth, 2n, D_t]
U_t, U_v = U_hat.split(self.n_ctx, dim=1)  # [depth, n, D_t] each
return U_t[: self.text_depth], self.to_visual(U_v)""")),
    Exercise(
        "UPT Eqs. (6) to (8): variance of features", "prompts/reports/variance.py", """
Write both functions. Features are normalised first. The square of a vector means the sum of its
squares. Eq. (6) divides by the number of pictures of the class, Eqs. (7) and (8) by the number of
classes. Return Python floats. Question: what is the largest value that Eq. (8) can have?""",
        "First the mean in each class, then the mean over classes: a large class counts as much as "
        "a small one.", 20,
        "torch's `var` divides by n - 1, and it takes no sum over E: neither is Eq. (6).",
        needs=(4,), blanks=("intra_class_variance", "inter_class_variance")),
    Exercise(
        "Base and new classes", "clip_min/data/datasets.py", """
Write `split_classes` for "base", "new" and a wrong word (CoCoOp Sec. 4.1). Base is the first
ceil(K/2) labels, new the rest, relabelled from 0. All three parts of the data set are filtered; the
data set that you got stays as it was.
Question: why is each half scored among its own classes only?""",
        "dataclasses.replace makes a changed copy. `range(...)` has `in` and `.start`.", 15,
        "A range is both the set of labels and, by its start, what to subtract. A copy by "
        "dataclasses.replace keeps what it is not told to change.",
        needs=(10,), blanks=(("split_classes", "half", "return"),)),
    Exercise(
        "The harmonic mean", "prompts/reports/tables.py", """
Write `harmonic_mean`. `cells` is {"base": {seed: accuracy}, "new": {seed: accuracy}}. First the
mean over the seeds, then H = 2 b n / (b + n). None if one half was not measured.
Question: which method wins by H, one with 80 and 60, or one with 70 and 69, and why do the papers
prefer H to the plain mean?""",
        "Think of b + n = 0, too.", 10,
        "The mean of the H of each seed is another number, and seeds may be missing in one half: "
        "the papers average first.",
        needs=(17,), blanks=("harmonic_mean",)),
    Exercise(
        "Silent bug 1: not a cosine", "prompts/coop.py", """
One mistake is planted. CoOp trains with it, and the loss falls. Symptom: the logits are not
cos(g(t_i), f) / tau of Eq. (3). Find it and correct it. Write down which one-line experiment showed
it to you.""",
        "A vector of length 1: along which axis?", 20,
        "Each row is a vector, of a picture or of a class: its own length is along dim=-1. An "
        "experiment: double one picture's feature. Its logits must not change.",
        needs=(4, 6), planted=(("CoOp.classify", "return"), """
f, w = image_features, self.class_weights()  # [B, E], [K, E]
f, w = nn.functional.normalize(f, dim=-1), nn.functional.normalize(w, dim=0)
return self.clip.logit_scale.exp() * f @ w.T""")),
    Exercise(
        "Silent bug 2: the fast path is not exact", "prompts/upt.py", """
One mistake is planted. UPT trains with it, and the loss falls. Symptom: the class vectors are not
those that whole sequences would give. Shapes are right, and with depth=1 all is right. Find it and
correct it.""",
        "Which prompts stand in the text tower's second layer, and which ones should?", 30,
        "T[0] stands at the input. The second layer gets T[1], and so on: `deeper` is T[1:].",
        needs=(12,), hides=UPT_HIDES, planted=(
            ("UPT.class_weights", "return"),
            "return encode_trees(self.clip, self.trees, T[:1], deeper=T[:-1]).squeeze(0)")),
    Exercise(
        "Silent bug 3: only in company", "prompts/cocoop.py", """
One mistake is planted. CoCoOp trains with it, and the loss falls. With a batch of one picture all
is right, so the paper's recipe, which has such batches, does not show it. Symptom: a picture's
logits depend on what else is in the batch. Find it and correct it. Write a test that finds it.""",
        "Which operation sees more than one picture?", 40,
        "Each picture has class vectors of its own, [B, K, E]. Whatever averages, sorts or turns "
        "the batch axis lets pictures meet. A test: each picture alone, then all together.",
        needs=(11, 12), hides=("CoCoOp.plain_class_weights",), planted=(
            ("CoCoOp.classify", "found"),
            "weights = [self.class_weights(self.context(x)).mean(dim=0) for x in parts]\n"
            "found = [cosines(x, w) for x, w in zip(parts, weights)]")),
    Exercise(
        "Open: beat UPT with 3,000 numbers", "prompts/joint.py", """
UPT learns 120,192 numbers on the tiny CLIP. You have 3,000. Invent where the prompts come from:
write what is learned (in `Joint.__init__`) and `Joint.prompts`, which turns it into text prompts
T [1 or more layers, n, D_t] and visual prompts V [depth, n, D_v]. All the rest is given; you may
change it, and the learning rate in `TINY`, too. Keep the name Joint. The check counts, trains your
method and UPT on few pictures of a miniature set, and prints the accuracy of zero-shot CLIP, of
UPT, and of yours before and after learning. You have to beat both, and to beat your own start: a
good start that learns nothing does not count.
One try on few pictures proves little: say in your report how sure you are, and how you would find
out.""",
        "What does each tower need to be told, and how few numbers can say it? Where does a good "
        "start come from? Five epochs are few: which learning rate suits them?", 90,
        "Not the solution, but one: four words for the text tower, four vectors in each image "
        "layer. With the rate 0.1 in `TINY` it wins this check (teachers.md).",
        needs=(6, 13, 14), blanks=(("Joint.__init__", "words", "self.V"), "Joint.prompts"),
        hides=("*.encode_image", "*.class_weights", "*.classify", "*.prompts", "prompted_*")),
    Exercise(
        "The prompt tree: its mask of ancestors", TREE_FILE, """
All prompts stand in one sequence, the tree at the top of the file. Write the lines of
`PromptTree.__init__` that keep `mask` [T, T], `symbols` [T], `position` [T] and `eos` [K] as
buffers, each by `self.register_buffer(name, tensor, persistent=False)`. The mask is True where the
token of a row may look at the token of a column, which is where the column's token is an ancestor
of the row's, or the same one. `place` is {beginning of a prompt: its row}: the ancestors of
(7, 8, 1) are (7,) and (7, 8). The class's docstring says what the other three are.
First draw the mask of two prompts, 7 8 1 9 and 7 8 2 9, on paper.
Question: which mask do you get if nothing is shared, and which one if there is one prompt only?""",
        "A parent stands before its children in `place`. A token sees itself, and all that its "
        "parent sees. A beginning's last symbol is the token's own.", 30,
        "The parent's row is finished before its children need it, so one `|=` passes all "
        "ancestors on. A prompt ends where its whole length is a beginning.",
        needs=(2,), blanks=(("PromptTree.__init__", "mask", "register_buffer(name"),)),
    Exercise(
        "UPT Eq. (5): attention that does nothing", "notes/exercises/influence.py", """
Eq. (5) to the letter is U' = SA(U) + LN(U). Every prompt looks at all others, and every test of
exercise 14 passes. But how much does one prompt move the others? Write `influence`, which measures
it, as its docstring says. Then measure a fresh UPT, once with attention="literal" and once with
"normed": `main` in your file does it (python exercise-24/influence.py in this folder). Compare the
lengths of U, of SA(U) and of LN(U), and explain the two numbers.
Question: U starts with numbers of about 0.02. Does this size matter in LN(U)? In SA(U)? Why?""",
        "Work on a copy of U. Lengths are along the last axis; leave prompt i out before you take "
        "the mean.", 30,
        "What is compared is the length of a movement with the length of what moves. Prompt i "
        "itself is left out: it moves in any case.",
        needs=(14,), blanks=("influence",)),
    Exercise(
        "Silent bug 4: a mean and std that do not fit", "clip_min/preprocess.py", """
One mistake is planted. No error is raised, and pictures look like pictures. Symptom: a CLIP that
another group trained, with a mean and std of its own, has a lower accuracy here than its authors
report; OpenAI's CLIP has the right one. Find the line and correct it. A picture of one colour is
enough to see it: what should `Preprocess(4, mean, std)` make of it, channel by channel?
Then measure what it does: take load_clip("tiny"), set `clip.preprocess` to
`Preprocess(clip.image_size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))`, and compare zero-shot accuracies on
a miniature set.
Question: which methods could learn this mistake away in part, and which ones cannot?""",
        "Two models with different means: where does the code still know which one it is?", 25,
        "The numbers belong to the model, so they are the object's own, `self.mean` and "
        "`self.std`. Constants of the file are right for one model only; its tests pass.",
        needs=(3,), planted=(("Preprocess.to_tensor", "scale, shift"),
                             "scale, shift = scale_and_shift(MEAN, STD)")),
    Exercise(
        "Silent bug 5: a stale result", "prompts/runs/code.py", """
A student edits a line of a file on which every result depends, and repeats the command of
yesterday. After one second it prints yesterday's accuracy: nothing was computed. One mistake is
planted in the file that should prevent this: a result is found again by the digest of the code,
and `digest_of_code` gives the same digest for different code. Two small files of your own are
enough to see it. Which edits does it miss? Find the line and correct it. A comment or a docstring
may be changed without a new run.
Question: what else than code can change a result, and where in prompts/runs/identity.py is it
part of the identity?""",
        "Write a file of three lines. Change a number, a name, the first line, the last line, one "
        "of two files: after which edits is the digest the same?", 30,
        "`outline` keeps every name, number and string of the code, and neither comments nor line "
        "breaks. It leaves docstrings out, and nothing else.",
        needs=(9,), planted=(
            ("digest_of_text", "return"),
            "kinds = [type(node).__name__ for node in ast.walk(ast.parse(text))]\n"
            "return hashlib.sha256(repr(kinds).encode()).hexdigest()")),
]
EXERCISES = dict(enumerate(LIST, start=1))
