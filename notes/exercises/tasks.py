"""The exercises: what is asked, which lines are taken out, and two typical mistakes for each.

Places in a file are named as cut.py says: by functions and statements, not by their text.
checks/ has the check of each number, variants.py what another year gets instead.
tests/test_exercises.py holds all of it together. This file is long because it is a
table.
"""

from typing import NamedTuple


class Mistake(NamedTuple):
    """A place in the project's file, a wrong statement for it, a word of what the check says."""

    place: str | tuple
    wrong: str
    word: str


class Exercise(NamedTuple):
    """One exercise.

    minutes: a guess for a student who has read the paper; not yet measured. mistakes: two.
    needs: numbers of the exercises to do first. blanks: places that the student fills.
    planted: (place, wrong statement) of a bug hunt, instead of blanks or beside them.
    """

    title: str
    file: str
    task: str
    hint: str
    minutes: int
    mistakes: tuple
    needs: tuple = ()
    blanks: tuple = ()
    planted: tuple = ()


LIST = [
    Exercise(
        title="Tokenizer: merges by hand",
        file="clip_min/tokenizer.py",
        task="""
On paper first: with the merges (b, c</w>), (a, b), in this order of learning, what becomes of the
word "abc"? Then write `merge_pair`, which joins every occurrence of one pair, and
`Tokenizer.merge`, which decides which pair is next.
Read: the top of clip_min/tokenizer.py.""",
        hint="The pair that was learned first goes first, wherever in the word it stands. "
        "`self.rank` gives the order.",
        minutes=25,
        blanks=("merge_pair", "Tokenizer.merge"),
        mistakes=(
            Mistake(("merge_pair", "i 1"), "i += 1", "used up"),
            Mistake(
                ("Tokenizer.merge", "best"),
                "best = min(zip(symbols, symbols[1:]), key=lambda pair: pair not in self.rank)",
                "learned first",
            ),
        ),
    ),
    Exercise(
        title="Attention: the causal mask",
        file="clip_min/model.py",
        task="""
In the text tower a token may look at itself and at what stands before it. Write `causal_mask`:
[length, length], True where the token of a row (the query) may look at the token of a column (the
key).""",
        hint="Compare two ranges of positions. The queries need an axis of their own: the "
        "comparison "
        "then gives a matrix.",
        minutes=20,
        blanks=("causal_mask",),
        mistakes=(
            Mistake(
                "causal_mask",
                "return torch.ones(length, length, device=device).triu().bool()",
                "comes after it",
            ),
            Mistake(
                "causal_mask",
                "return torch.ones(length, length, device=device).tril(-1).bool()",
                "itself",
            ),
        ),
    ),
    Exercise(
        title="Vision transformer: patch embedding",
        file="clip_min/model.py",
        task="""
Write `VisionTransformer.embed`: cut the pictures into patches (the convolution `conv1` has a stride
as long as its kernel, so it does this), make a sequence of them, put the class token first, add
positions, apply `ln_pre`.""",
        hint="conv1 gives [B, D, rows, columns]. A sequence is [B, S, D]: the first row of patches "
        "comes first.",
        minutes=15,
        blanks=("VisionTransformer.embed",),
        mistakes=(
            Mistake(
                ("VisionTransformer.embed", "x 1"),
                "x = self.conv1(images).transpose(2, 3).flatten(2).transpose(1, 2)",
                "column by column",
            ),
            Mistake(
                ("VisionTransformer.embed", "x 2"),
                "x = torch.cat([x, class_token], dim=1) + self.positional_embedding",
                "class token",
            ),
        ),
    ),
    Exercise(
        title="CoOp Eq. (1): cosine and temperature",
        file="prompts/zero_shot.py",
        task="""
Write `ZeroShot.classify`, and compute the cosines yourself, without `cosines`. `self.weights`
[K, E] holds the class vectors, already of length 1. Return logits, not probabilities.
Question: what does a smaller tau do to p(y|x), and what does it do to the accuracy?""",
        hint="`logit_scale` is log(1/tau). A cosine does not change when a vector gets longer.",
        minutes=15,
        blanks=("ZeroShot.classify",),
        mistakes=(
            Mistake(
                "ZeroShot.classify",
                "return self.clip.logit_scale * F.normalize(image_features, dim=-1) "
                "@ self.weights.T",
                "logarithm",
            ),
            Mistake(
                "ZeroShot.classify",
                "return self.clip.logit_scale.exp() * image_features @ self.weights.T",
                "length",
            ),
        ),
    ),
    Exercise(
        title="Prompt ensembling",
        file="prompts/zero_shot.py",
        task="""
Several sentences for each class, one vector for each class. Write `ZeroShot.set_classes`, which
keeps `weights` [K, E] with `self.register_buffer("weights", ..., persistent=False)`.
`self.templates` holds the sentences, with {} for the name; `word_vectors` gives the features of
one. Class names may hold underscores: `readable_names` replaces them.""",
        hint="Normalise each sentence's feature, average over the templates, normalise again. "
        "Nothing here is learned.",
        minutes=20,
        needs=(4,),
        blanks=("ZeroShot.set_classes",),
        mistakes=(
            Mistake(
                ("ZeroShot.set_classes", "for"),
                "for template in self.templates:\n"
                "    features.append(word_vectors(self.clip, names, [template]))",
                "before you average",
            ),
            Mistake(
                ("ZeroShot.set_classes", "self.register_buffer"),
                'self.register_buffer("weights", torch.stack(features).mean(dim=0))',
                "normalise again",
            ),
        ),
    ),
    Exercise(
        title="CoOp Eqs. (2), (4): the splice",
        file="clip_min/prompting/tree.py",
        task="""
A prompt is a list of symbols: ids of tokens, and -1, -2, … for the first, second, … context vector.
In `splice`, write what happens for one class: put the context before the name ("end"), or half of
it before and half after it ("middle"), and append the list to `prompts`. The order in the middle is
[SOS] [V].. name [V].. full stop [EOS]. Then write `embed`, which turns symbols into vectors.""",
        hint="`before` context vectors stand before the name. Encode the name with its full stop, "
        "and "
        "cut: the tokens of the name come first. In `embed`, torch.where chooses.",
        minutes=35,
        needs=(5,),
        blanks=(("splice", "first", "prompts.append"), "embed"),
        mistakes=(
            Mistake(
                ("splice", "spliced"),
                "spliced = [*context[:before], *text, *context[before:]]",
                "'.'",
            ),
            Mistake(
                ("splice", "prompts.append"),
                "prompts.append([*spliced, tokenizer.eot])",
                "[SOS]",
            ),
        ),
    ),
    Exercise(
        title="Where is [EOS]?",
        file="clip_min/model.py",
        task="""
A text's feature is read at its [EOS]. Write `CLIP.encode_text`: find [EOS] in each text, run the
blocks (`self.transformer(x, mask)`), read that position, and give it to `pool_text`. Texts of a
batch end at different places, and zeros follow.
Question: why must a method with learned vectors find [EOS] in the ids, never in the embeddings?""",
        hint="[EOS] has the largest id of all.",
        minutes=15,
        needs=(2,),
        blanks=("CLIP.encode_text",),
        mistakes=(
            Mistake(
                ("CLIP.encode_text", "eos"),
                "eos = torch.full((len(tokens),), tokens.shape[1] - 1)",
                "padding",
            ),
            Mistake(("CLIP.encode_text", "eos"), "eos = (tokens != 0).sum(dim=-1) - 2", "a word"),
        ),
    ),
    Exercise(
        title="CoOp: class-specific context",
        file="prompts/coop.py",
        task="""
Give each class M vectors of its own (CoOp Sec. 3.1, CSC). Write the lines of `CoOp.__init__` that
turn the one context into K of them: random ones differ from class to class, words are the same for
all. Then write `plain_class_weights`, and the first line of `class_weights`: both need the context
as one list of vectors. The symbol -1 stands for the first of the list, and class i has the vectors
i·M + 1 to i·M + M.
Question: what do the prompts of all classes have in common now, and what does that do to the
speed?""",
        hint="K contexts must not lie in the same memory. `flatten` joins axes that are "
        "neighbours. "
        "In `plain_class_weights`: `embed`, positions, blocks, and the rows at [EOS].",
        minutes=30,
        needs=(6, 7),
        blanks=(
            ("CoOp.__init__", "if"),
            "CoOp.plain_class_weights",
            ("CoOp.class_weights", "context"),
        ),
        mistakes=(
            Mistake(
                ("CoOp.__init__", "if"),
                """
                if class_specific:
                    ctx = ctx.expand(len(classnames), -1, -1)
                    ctx = ctx if ctx_init else 0.02 * torch.randn(ctx.shape)
                """,
                "memory",
            ),
            Mistake(
                ("CoOp.class_weights", "context"),
                "context = self.ctx.transpose(0, -2).flatten(0, -2)[None]",
                "first vectors of all classes",
            ),
        ),
    ),
    Exercise(
        title="The learning-rate schedule",
        file="train.py",
        task="""
Write `learning_rate`: 1e-5 in epoch 0 (warm-up), then a cosine from lr down (CoOp Sec. 3.1). The
published scheduler starts the cosine after the warm-up and still divides by all E epochs. Sketch it
for E = 10 before you write it.""",
        hint="lr · (1 + cos(pi · x)) / 2, where x is 0 in epoch 1.",
        minutes=10,
        blanks=("learning_rate",),
        mistakes=(
            Mistake(
                "learning_rate",
                """
                cosine = math.cos(math.pi * epoch / epochs)
                return 1e-5 if epoch == 0 else lr * (1 + cosine) / 2
                """,
                "Epoch 1 ",
            ),
            Mistake(
                "learning_rate",
                """
                if epoch == 0:
                    return 1e-5
                return lr * (1 + math.cos(math.pi * (epoch - 1) / (epochs - 1))) / 2
                """,
                "published schedule",
            ),
        ),
    ),
    Exercise(
        title="The few-shot sampler",
        file="clip_min/data/datasets.py",
        task="""
Write `sample_per_class`, and the lines of `few_shot` that call it. The sample must be that of
CoOp's code, picture for picture: classes in order of first appearance, `shots` of each without
replacement, a small class gives all it has; then min(shots, 4) validation pictures of each class,
with what follows in the same stream of random numbers.""",
        hint="One random.Random(seed) for both parts; `stream.sample` draws without replacement.",
        minutes=20,
        blanks=("sample_per_class", ("few_shot", "stream", "val")),
        mistakes=(
            Mistake(
                "sample_per_class",
                """
                sample = []
                for label in sorted({item.label for item in items}):
                    group = [item for item in items if item.label == label]
                    sample += stream.sample(group, min(shots, len(group)))
                return sample
                """,
                "first appearance",
            ),
            Mistake(
                ("few_shot", "val"),
                "val = sample_per_class(dataset.val, min(shots, 4), random.Random(seed))",
                "same stream",
            ),
        ),
    ),
    Exercise(
        title="CoCoOp Eq. (3): the Meta-Net",
        file="prompts/cocoop.py",
        task="""
Write the Meta-Net in `CoCoOp.__init__` (linear E → E/16, ReLU, linear E/16 → D_t; call it
`self.meta_net`) and `CoCoOp.context`: v_m(x) = v_m + pi.
Question: how many numbers are learned with E = D_t = 512 and M = 4? (The project's: 35,360 with the
biases; CoCoOp Table 5 counts 34,816 without them.)""",
        hint="pi is [B, D_t] and ctx is [M, D_t]: give pi an axis for M. The Meta-Net reads "
        "features "
        "of length 1.",
        minutes=20,
        needs=(6,),
        blanks=(
            ("CoCoOp.__init__", "self.meta_net", "self.meta_net.add_module 3"),
            "CoCoOp.context",
        ),
        mistakes=(
            Mistake(
                "CoCoOp.context",
                "return self.ctx + self.meta_net(F.normalize(image_features, dim=-1))",
                "wrong axis",
            ),
            Mistake(
                "CoCoOp.context",
                "return self.ctx + self.meta_net(image_features)[:, None]",
                "normalise",
            ),
        ),
    ),
    Exercise(
        title="Why CoCoOp is slow, and the tree",
        file="clip_min/prompting/tree.py",
        task="""
`CoCoOp.plain_class_weights` encodes B · K whole prompts of 77 tokens, padding and all. Under the
causal mask, prompts that begin alike are alike up to where they part. So each different beginning
needs one token only, and all prompts together become one sequence, a tree. Write
`PromptTree.__init__`, which keeps `symbols`, `position`, `eos` and `mask` as buffers, and
`encode_trees`. The check counts the tokens that your blocks read.
Question: why is this exact, and why would it be wrong in the image tower?""",
        hint="`beginnings` lists the beginnings; a dictionary gives each of them a place. A token "
        "sees itself and all that its parent sees. `deeper` may wait until the rest is right.",
        minutes=60,
        needs=(2, 6, 7, 11),
        blanks=("PromptTree.__init__", "encode_trees"),
        mistakes=(
            Mistake(
                "encode_trees",
                """
                features = []
                for prompt in trees:
                    x = embed(clip, prompt.symbols, context)
                    x = x + clip.positional_embedding[: x.shape[1]]
                    for layer in clip.transformer.layers():
                        x = layer(x, prompt.mask)
                    features.append(clip.pool_text(x[:, prompt.eos]))
                return torch.cat(features, dim=1)
                """,
                "position",
            ),
            Mistake(
                ("PromptTree.__init__", "for 2"),
                """
                for beginning, row in place.items():
                    if len(beginning) > 1:
                        mask[row, place[beginning[:-1]]] = True
                """,
                "ancestors",
            ),
        ),
    ),
    Exercise(
        title="UPT Eqs. (3), (4): VPT from shallow to deep",
        file="prompts/vpt.py",
        task="""
Write `VPT.encode_image`. `self.V` [depth, n, D_v] holds prompts for the first `depth` layers. They
enter between [CLS] and the patches. Before a layer that has prompts of its own, what came out in
the place of the old ones is thrown away. After the last layer with prompts, what comes out goes on
through the tower (VPT-shallow is depth = 1). `self.before_ln_pre`: the prompts of the first layer
pass through `visual.ln_pre`. `visual.transformer.resblocks` are the layers; what `layers` and CLS
save (the last layer computes only the rows that are read) may wait until the rest is right.""",
        hint="[CLS] is x[:, :1], and the patches are the last ones. Read [CLS] at the end with "
        "`visual.pool`.",
        minutes=30,
        needs=(3,),
        blanks=("VPT.encode_image",),
        mistakes=(
            Mistake(
                ("VPT.encode_image", "if"),
                """
                if i < len(self.V):
                    x = torch.cat([x[:, :1], self.V[i].expand(len(x), -1, -1), x[:, 1:]], dim=1)
                """,
                "pile up",
            ),
            Mistake(
                ("VPT.encode_image", "if"),
                """
                if i == 0:
                    x = torch.cat([x[:, :1], self.V[i].expand(len(x), -1, -1), x[:, 1:]], dim=1)
                """,
                "layer 2",
            ),
        ),
    ),
    Exercise(
        title="UPT Eq. (5): theta",
        file="prompts/upt.py",
        task="""
Write self-attention over the 2n prompts of each layer (`Theta.self_attention`) and both lines of
Eq. (5) in `Theta.forward`. `LN_U` is LN(U), and `seen` is what SA
reads: LN(U), or U if attention="literal". U' is `U1`, and U-hat is `U_hat`. Look closely at the equation: which residuals are
normalised? `self.dropout` acts on what SA and FFN give.""",
        hint="U is [depth, 2n, D]: the 2n prompts are the sequence. Heads are slices of D. Both "
        "residuals go through an LN.",
        minutes=35,
        needs=(2, 13),
        blanks=(
            ("Theta.self_attention", "q, k, v 2", "return"),
            ("Theta.forward", "U1 1", "U_hat 1"),
        ),
        mistakes=(
            Mistake(
                ("Theta.forward", "U1 1"),
                "U1 = self.dropout(self.self_attention(seen)) + U",
                "first residual",
            ),
            Mistake(
                ("Theta.forward", "U_hat 1"),
                "U_hat = self.dropout(self.ffn(LN_U1)) + U1",
                "second residual",
            ),
        ),
    ),
    Exercise(
        title="Attention that mixes no prompts: find it",
        file="prompts/upt.py",
        task="""
Nothing is blank here: one mistake is planted in UPT, and it trains without an error. The idea of
Eq. (5) is lost: the prompts of a layer do not see each other. Find out how you could have noticed
(change one prompt; which others change?), then find the line and correct it. Look with
attention="normed": with "literal" even the right code moves the others by less than a percent of
their length (notes/upt.md, which also tells where this mistake has been made).""",
        hint="Which axis of U is the sequence, and which one is the batch?",
        minutes=30,
        needs=(14,),
        planted=(
            ("Theta.forward", "U1 1"),
            "U1 = self.dropout(self.self_attention(seen.transpose(0, 1)).transpose(0, 1)) + LN_U",
        ),
        mistakes=(
            Mistake(
                ("Theta.forward", "U1 1"),
                """
                halves = [self.self_attention(half) for half in seen.chunk(2, dim=1)]
                U1 = self.dropout(torch.cat(halves, dim=1)) + LN_U
                """,
                "other half",
            ),
            Mistake(
                ("Theta.forward", "U1 1"),
                """
                mixed = self.self_attention(seen.flatten(0, 1)[None])[0].unflatten(0, U.shape[:2])
                U1 = self.dropout(mixed) + LN_U
                """,
                "different layers",
            ),
        ),
    ),
    Exercise(
        title="UPT Eqs. (6) to (8): variance of features",
        file="prompts/reports/variance.py",
        task="""
Write both functions. Features are normalised first. The square of a vector means the sum of its
squares. Eq. (6) divides by the number of pictures of the class, Eqs. (7) and (8) by the number of
classes. Return Python floats. Question: what is the largest value that Eq. (8) can have?""",
        hint="First the mean in each class, then the mean over classes: a large class counts as "
        "much "
        "as a small one.",
        minutes=20,
        needs=(4,),
        blanks=("intra_class_variance", "inter_class_variance"),
        mistakes=(
            Mistake(
                ("intra_class_variance", "var_c"),
                "var_c = (X_c - X_c.mean(dim=0)).square().mean()",
                "sum",
            ),
            Mistake(
                ("inter_class_variance", "return"),
                "return F.normalize(class_weights, dim=-1).var(dim=0).sum().item()",
                "K - 1",
            ),
        ),
    ),
    Exercise(
        title="Base and new classes",
        file="clip_min/data/datasets.py",
        task="""
Write `split_classes` for "base", "new" and a wrong word (CoCoOp Sec. 4.1). Base is the first
ceil(K/2) labels, new the rest, relabelled from 0. All three parts of the data set are filtered; the
data set that you got stays as it was.
Question: why is each half scored among its own classes only?""",
        hint="dataclasses.replace makes a changed copy. `range(...)` has `in` and `.start`.",
        minutes=15,
        needs=(10,),
        blanks=(("split_classes", "half", "return 2"),),
        mistakes=(
            Mistake(("split_classes", "half"), "half = len(dataset.classnames) // 2", "ceil"),
            Mistake(
                ("split_classes.select", "return"),
                "return [item for item in items if item.label in labels]",
                "from 0",
            ),
        ),
    ),
    Exercise(
        title="The harmonic mean",
        file="prompts/reports/tables.py",
        task="""
Write `harmonic_mean`. `cells` is {"base": {seed: accuracy}, "new": {seed: accuracy}}. First the
mean over the seeds, then H = 2 b n / (b + n). None if one half was not measured.
Question: which method wins by H, one with 80 and 60, or one with 70 and 69, and why do the papers
prefer H to the plain mean?""",
        hint="Think of b + n = 0, too.",
        minutes=10,
        needs=(17,),
        blanks=("harmonic_mean",),
        mistakes=(
            Mistake(
                "harmonic_mean",
                'return sum(statistics.mean(cells[half].values()) for half in ("base", "new")) / 2',
                "arithmetic",
            ),
            Mistake(
                "harmonic_mean",
                """
                b, n = (max(cells[half].values()) for half in ("base", "new"))
                return 2 * b * n / (b + n)
                """,
                "mean over the seeds",
            ),
        ),
    ),
    Exercise(
        title="Silent bug 1: not a cosine",
        file="prompts/coop.py",
        task="""
One mistake is planted. CoOp trains with it, and the loss falls. Symptom: the logits are not
cos(g(t_i), f) / tau of Eq. (3). Find it and correct it. Write down which one-line experiment showed
it to you.""",
        hint="A vector of length 1: along which axis?",
        minutes=20,
        needs=(4, 6),
        planted=(
            ("CoOp.classify", "return"),
            """
            f = nn.functional.normalize(image_features, dim=-1)
            weights = nn.functional.normalize(self.class_weights(), dim=0)  # [K, E]
            return self.clip.logit_scale.exp() * f @ weights.T
            """,
        ),
        mistakes=(
            Mistake(
                ("CoOp.classify", "return"),
                """
                f = nn.functional.normalize(image_features, dim=-1)
                return self.clip.logit_scale.exp() * f @ self.class_weights().T
                """,
                "Eq. (3)",
            ),
            Mistake(
                ("CoOp.classify", "return"),
                """
                f = nn.functional.normalize(image_features, dim=0)
                weights = nn.functional.normalize(self.class_weights(), dim=-1)  # [K, E]
                return self.clip.logit_scale.exp() * f @ weights.T
                """,
                "Eq. (3)",
            ),
        ),
    ),
    Exercise(
        title="Silent bug 2: the fast path is not exact",
        file="prompts/upt.py",
        task="""
One mistake is planted. UPT trains with it, and the loss falls. Symptom: the class vectors are not
those that whole sequences would give. Shapes are right, and with depth=1 all is right. Find it and
correct it.""",
        hint="Which prompts stand in the text tower's second layer, and which ones should?",
        minutes=30,
        needs=(12,),
        planted=(
            ("UPT.class_weights", "return"),
            "return encode_trees(self.clip, self.trees, T[:1], deeper=T[:-1]).squeeze(0)",
        ),
        mistakes=(
            Mistake(
                ("UPT.class_weights", "return"),
                "return encode_trees(self.clip, self.trees, T[:1]).squeeze(0)",
                "whole sequences",
            ),
            Mistake(
                ("UPT.class_weights", "return"),
                "return encode_trees(self.clip, self.trees, T[:1], deeper=T).squeeze(0)",
                "whole sequences",
            ),
        ),
    ),
    Exercise(
        title="Silent bug 3: only in company",
        file="prompts/cocoop.py",
        task="""
One mistake is planted. CoCoOp trains with it, and the loss falls. With a batch of one picture all
is right, so the paper's recipe, which has such batches, does not show it. Symptom: a picture's
logits depend on what else is in the batch. Find it and correct it. Write a test that finds it.""",
        hint="Which operation sees more than one picture?",
        minutes=40,
        needs=(11, 12),
        planted=(
            ("CoCoOp.context", "pi"),
            "pi = self.meta_net(image_features / image_features.norm())  # [B, D_t]",
        ),
        mistakes=(
            Mistake(
                ("CoCoOp.context", "pi"),
                "pi = self.meta_net(F.normalize(image_features, dim=0))",
                "alone",
            ),
            Mistake(
                ("CoCoOp.context", "pi"),
                "pi = self.meta_net(F.normalize(image_features, dim=-1)).mean(dim=0, keepdim=True)",
                "company",
            ),
        ),
    ),
    Exercise(
        title="Open: beat UPT with 3,000 numbers",
        file="prompts/joint.py",
        task="""
UPT learns 120,192 numbers on the tiny CLIP. You have 3,000. Invent where the prompts come from:
write what is learned (in `Joint.__init__`) and `Joint.prompts`, which turns it
into text prompts T and visual prompts V. All the rest is given; you may change it, and the learning
rate in `TINY`, too. Keep the name Joint. The check counts, trains your method and UPT on few
pictures of a miniature set, and prints the accuracy of zero-shot CLIP, of UPT, and of yours before
and after learning. You have to beat both, and to beat your own start: a good start that learns
nothing does not count.
One try on few pictures proves little: say in your report how sure you are, and how you would find
out.""",
        hint="What does each tower need to be told, and how few numbers can say it? Where does a "
        "good start come from? Five epochs are few: which learning rate suits them?",
        minutes=90,
        needs=(6, 13, 14),
        blanks=(("Joint.__init__", "words", "start", "self.T", "self.V"), "Joint.prompts"),
        mistakes=(
            Mistake(
                ("Joint.__init__", "self.V"),
                "self.V = nn.Parameter(0.02 * torch.randn(depth, 2 * n_ctx, D_v))",
                "3,000",
            ),
            Mistake(("Joint.prompts", "return"), "return self.T, self.V.detach()", "no gradient"),
        ),
    ),
    Exercise(
        title="The prompt tree: its mask of ancestors",
        file="clip_min/prompting/tree.py",
        task="""
All prompts stand in one sequence, the tree at the top of clip_min/prompting/tree.py. Write the lines
of `PromptTree.__init__` that make `mask` [T, T]: True where the token of a row may look at the
token of a column, which is where the column's token is an ancestor of the row's, or the same one.
`place` is {beginning of a prompt: its row}: the ancestors of (7, 8, 1) are (7,) and (7, 8).
First draw the mask of two prompts, 7 8 1 9 and 7 8 2 9, on paper.
Question: which mask do you get if nothing is shared, and which one if there is one prompt only?""",
        hint="A parent stands before its children in `place`. A token sees itself, and all that "
        "its parent sees.",
        minutes=20,
        needs=(2,),
        blanks=(("PromptTree.__init__", "mask", "for 2"),),
        mistakes=(
            Mistake(
                ("PromptTree.__init__", "for 2"),
                """
                for beginning, row in place.items():
                    if len(beginning) > 1:
                        mask[row, place[beginning[:-1]]] = True
                """,
                "its ancestor",
            ),
            Mistake(
                ("PromptTree.__init__", "mask", "for 2"),
                "mask = torch.ones(len(place), len(place)).tril().bool()",
                "another branch",
            ),
        ),
    ),
    Exercise(
        title="UPT Eq. (5): attention that does nothing",
        file="notes/exercises/influence.py",
        task="""
`theta_forward` is Eq. (5) to the letter: U' = SA(U) + LN(U). Every prompt looks at all others, and
every test of exercise 15 passes. But how much does one prompt move the others? Write `influence`,
which measures it, as its docstring says. Measure a fresh UPT: METHODS["upt"](load_clip("tiny"),
["cat", "dog"]) has `theta` and `U`. Then compare the lengths of SA(U) and of LN(U), and change one
line of `theta_forward`, so that SA reads what is as long as the residual. Measure again.
Question: U starts with numbers of about 0.02. Does this size matter in LN(U)? In SA(U)? Why?""",
        hint="LN makes every prompt about sqrt(D) long, whatever its length was. What would SA "
        "give if it read LN(U), too?",
        minutes=40,
        needs=(14, 15),
        blanks=("influence",),
        planted=(("theta_forward", "U"), "U = theta.self_attention(U) + LN_U"),
        mistakes=(
            Mistake(
                ("influence", "others"),
                "others = list(range(U.shape[1]))",
                "prompt i itself",
            ),
            Mistake(
                ("theta_forward", "U"), "U = theta.self_attention(LN_U) + U", "residual is LN(U)"
            ),
        ),
    ),
    Exercise(
        title="Silent bug 4: a mean and std that do not fit",
        file="clip_min/preprocess.py",
        task="""
One mistake is planted. No error is raised, and pictures look like pictures. Symptom: a CLIP that
another group trained, with a mean and std of its own, has a lower accuracy here than its authors
report. Find the line and correct it. A picture of one colour is enough to see it: what should
`Preprocess(4, mean, std)` make of it, channel by channel?
Then measure what it does: take load_clip("tiny"), set `clip.preprocess` to
`Preprocess(clip.image_size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))`, and compare zero-shot accuracies on
a miniature set.
Question: which methods could learn this mistake away in part, and which ones cannot?""",
        hint="Two models with different means: where does the code still know which one it is?",
        minutes=25,
        needs=(3,),
        planted=(
            ("Preprocess.to_tensor", "scale, shift"),
            "scale, shift = scale_and_shift(MEAN, STD)",
        ),
        mistakes=(
            Mistake(
                ("scale_and_shift", "shift"),
                "shift = np.array([-m for m in mean], dtype=np.float32)",
                "OpenAI's mean",
            ),
            Mistake(
                ("Preprocess.to_tensor", "scale, shift"),
                "scale, shift = scale_and_shift(self.mean[::-1], self.std[::-1])",
                "OpenAI's mean",
            ),
        ),
    ),
    Exercise(
        title="Silent bug 5: a stale result",
        file="prompts/runs/identity.py",
        task="""
A student edits a line of a file on which every result depends, and repeats the command of
yesterday. After one second it prints yesterday's accuracy: nothing was computed. One mistake is
planted in the file that should prevent this: a result is found again by the digest of the code,
and `digest_of_code` gives the same digest for different code. Two small files of your own are
enough to see it. Which edits does it miss? Find the line and correct it. A comment or a docstring
may be changed without a new run.
Question: what else than code can change a result, and where in this file is it part of the
identity?""",
        hint="Write a file of three lines. Change a number, a name, the first line, the last line, "
        "one of two files: after which edits is the digest the same?",
        minutes=30,
        needs=(9,),
        planted=(
            ("digest_of_code", "digest.update"),
            'digest.update(" ".join(type(node).__name__ for node in ast.walk(tree)).encode())',
        ),
        mistakes=(
            Mistake(
                ("digest_of_code", "if"),
                """
                if isinstance(node, DOCUMENTED):
                    del node.body[0]
                """,
                "digest",
            ),
            Mistake(
                ("digest_of_code", "digest", "for 1"),
                """
                for file in files:
                    digest, tree = hashlib.sha256(), ast.parse(file.read_bytes())
                    for node in ast.walk(tree):
                        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                            del node.body[0]
                    digest.update(ast.dump(tree).encode())
                """,
                "the first one was edited",
            ),
        ),
    ),
]
EXERCISES = dict(enumerate(LIST, start=1))
