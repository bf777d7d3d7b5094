"""The exercises: what is asked, which lines of which file are taken out, and two typical mistakes for each.

A blank is a symbol of the file, whose body the student writes, or (symbol, first words of the first statement, first
words of the last one). `planted` is a mistake in the starter of a bug hunt: (right text, wrong text). `mistakes` are
(text of the solution, what stands there instead, a word of what the check must say). tests/test_exercises.py proves
all of it. This file is long because it is a table. The checks of the same numbers stand in checks.py.
"""

from typing import NamedTuple


class Exercise(NamedTuple):
    """One step of the stair. `minutes`: a guess for a student who has read the paper; not yet measured."""

    title: str
    file: str
    task: str
    hint: str
    minutes: int
    needs: tuple  # numbers of the exercises to do first
    mistakes: tuple
    blanks: tuple = ()
    planted: tuple = ()


EXERCISES = dict(enumerate([
    Exercise(
        "Tokenizer: merges by hand", "clip_min/tokenizer.py", """
On paper first: with the merges (b, c</w>), (a, b), in this order of learning, what becomes of the word "abc"?
Then write `merge_pair`, which joins every occurrence of one pair, and `Tokenizer.merge`, which decides which pair is
next.
Read: the top of clip_min/tokenizer.py.""",
        "The pair that was learned first goes first, wherever in the word it stands. `self.rank` knows the order.",
        25, (),
        (("            i += 2\n", "            i += 1\n", "used up"),
         ("key=lambda pair: self.rank.get(pair, len(self.rank))", "key=lambda pair: pair not in self.rank",
          "learned first")),
        blanks=("merge_pair", "Tokenizer.merge"),
    ),
    Exercise(
        "Attention: the causal mask", "clip_min/model.py", """
In the text tower a token may look at itself and at what stands before it. Write `Attention.mask`: True where a query
may look at a key. With `row` there is only one query for each text, at the position row[b].""",
        "Compare two ranges of positions. The queries need an axis of their own: the comparison then gives a matrix.",
        20, (),
        (("position <= query_position", "position >= query_position", "comes after it"),
         ("position <= query_position", "position < query_position", "itself")),
        blanks=("Attention.mask",),
    ),
    Exercise(
        "Vision transformer: patch embedding", "clip_min/model.py", """
Write `VisionTransformer.embed`: cut the pictures into patches (the convolution `conv1` has a stride as long as its
kernel, so it does this), make a sequence of them, put the class token first, add positions, apply `ln_pre`.""",
        "conv1 gives [B, D, rows, columns]. A sequence is [B, S, D]: the first row of patches first.",
        15, (),
        (("self.conv1(images).flatten(2)", "self.conv1(images).transpose(2, 3).flatten(2)", "column by column"),
         ("torch.cat([class_token, x], dim=1)", "torch.cat([x, class_token], dim=1)", "class token")),
        blanks=("VisionTransformer.embed",),
    ),
    Exercise(
        "CoOp Eq. (1): cosine and temperature", "prompts/zero_shot.py", """
Write `ZeroShot.classify`. `self.weights` [K, E] holds the class vectors, already of length 1. Return logits, not
probabilities. Question: what does a smaller tau do to p(y|x), and what does it do to the accuracy?""",
        "`logit_scale` is log(1/tau). A cosine does not change when a vector gets longer.",
        15, (),
        (("self.clip.logit_scale.exp() *", "self.clip.logit_scale *", "logarithm"),
         ("F.normalize(image_features, dim=-1) @", "image_features @", "length")),
        blanks=("ZeroShot.classify",),
    ),
    Exercise(
        "Prompt ensembling", "prompts/zero_shot.py", """
Several sentences for each class, one vector for each class. Write `ZeroShot.set_classes`, which fills `self.weights`
[K, E], and `ZeroShot.text_features`. Class names may hold underscores: `readable_names` takes them out.""",
        "Normalise each sentence's feature, average over the templates, normalise again. Nothing here is learned.",
        20, (4,),
        (("return F.normalize(clip.encode_text(tokens), dim=-1)", "return clip.encode_text(tokens)",
          "before you average"),
         ("F.normalize(torch.stack(weights).mean(dim=0), dim=-1)", "torch.stack(weights).mean(dim=0)",
          "normalise again")),
        blanks=("ZeroShot.set_classes", "ZeroShot.text_features"),
    ),
    Exercise(
        "CoOp Eqs. (2), (4): the splice", "prompts/coop.py", """
Put the learned vectors before the class name ("end"), or half of them before and half after it ("middle").
In `CoOp.set_classes`, write what happens for one class: its row of `self.tokens` and of `self.is_context`. Then write
`CoOp.prompts`. The order in the middle is [SOS] [V].. name [V].. full stop [EOS].""",
        "`before` context vectors stand before the name. `tokens` may hold any id where a vector goes; "
        "`masked_scatter` fills the places of `is_context` in order.",
        35, (5,),
        (("self.is_context[i, 1 : 1 + before] = True", "self.is_context[i, :before] = True", "[SOS]"),
         ("*text[:name_length], *rest, *text[name_length:],", "*text, *rest,", "'.'")),
        blanks=(("CoOp.set_classes", "gap, rest", "self.is_context[i, 1 + before + name_length"), "CoOp.prompts"),
    ),
    Exercise(
        "Where is [EOS]?", "clip_min/model.py", """
A text's feature is read at its [EOS]. Write `CLIP.encode_text`: find [EOS] in each text, run the blocks, read that
position. `self.transformer(x, row=...)` does the last two. Texts of a batch end at different places, and zeros follow.
Question: why must a method with learned vectors find [EOS] in the ids, and never in the embeddings?""",
        "[EOS] has the largest id of all.",
        15, (2,),
        (("eos = tokens.argmax(dim=-1)  # [N]", "eos = torch.full((len(tokens),), tokens.shape[1] - 1)", "padding"),
         ("eos = tokens.argmax(dim=-1)  # [N]", "eos = (tokens != 0).sum(dim=-1) - 2", "a word")),
        blanks=("CLIP.encode_text",),
    ),
    Exercise(
        "CoOp: class-specific context", "prompts/coop.py", """
Give each class M vectors of its own (CoOp Sec. 3.1, CSC). Write the lines of `CoOp.__init__` that turn the one context
into K of them: random ones differ from class to class, words are the same for all. Then write `self.shared`: how many
tokens at the beginning are the same for all classes, with and without class-specific contexts?""",
        "What all classes share must be the same vectors for all of them. K contexts must not lie in the same memory.",
        20, (6,),
        (("ctx = ctx.repeat(len(classnames), 1, 1)", "ctx = ctx.expand(len(classnames), -1, -1)", "memory"),
         ("self.shared = 1 if self.class_specific else 1 + before", "self.shared = 1 + before", "shared")),
        blanks=(("CoOp.__init__", "if class_specific:"), ("CoOp.set_classes", "self.shared =")),
    ),
    Exercise(
        "The learning-rate schedule", "train.py", """
Write `learning_rate`: 1e-5 in epoch 0 (warm-up), then a cosine from lr down (CoOp Sec. 3.1). The published scheduler
starts the cosine after the warm-up and still divides by all E epochs. Sketch it for E = 10 before you write it.""",
        "lr · (1 + cos(pi · x)) / 2, where x is 0 in epoch 1.",
        10, (),
        (("math.pi * (epoch - 1) / epochs", "math.pi * epoch / epochs", "Epoch 1 "),
         ("math.pi * (epoch - 1) / epochs", "math.pi * (epoch - 1) / (epochs - 1)", "published schedule")),
        blanks=("learning_rate",),
    ),
    Exercise(
        "The few-shot sampler", "clip_min/data/datasets.py", """
Write `sample_per_class`, and the lines of `few_shot` that call it. The sample must be that of CoOp's code, picture for
picture: classes in order of first appearance, `shots` of each without replacement, a small class gives all it has; then
min(shots, 4) validation pictures of each class, with what follows in the same stream of random numbers.""",
        "One random.Random(seed) for both parts; `stream.sample` draws without replacement.",
        20, (),
        (("for group in by_label.values():", "for _, group in sorted(by_label.items()):", "first appearance"),
         ("sample_per_class(dataset.val, min(shots, 4), stream)",
          "sample_per_class(dataset.val, min(shots, 4), random.Random(seed))", "same stream")),
        blanks=("sample_per_class", ("few_shot", "stream =", "val =")),
    ),
    Exercise(
        "CoCoOp Eq. (3): the Meta-Net", "prompts/cocoop.py", """
Write the Meta-Net in `CoCoOp.__init__` (linear E → E/16, ReLU, linear E/16 → D_t; call it `self.meta_net`) and
`CoCoOp.context`: v_m(x) = v_m + pi. Question: how many numbers are learned with E = D_t = 512 and M = 4?
(Ours: 35,360 with the biases; CoCoOp Table 5 counts 34,816 without them.)""",
        "pi is [B, D_t] and ctx is [M, D_t]: give pi an axis for M. The Meta-Net reads features of length 1.",
        20, (6,),
        (("self.ctx + pi[:, None]", "self.ctx + pi", "wrong axis"),
         ("self.meta_net(F.normalize(image_features, dim=-1))", "self.meta_net(image_features)", "normalise")),
        blanks=(("CoCoOp.__init__", "self.meta_net = nn.Sequential()", 'self.meta_net.add_module("linear2"'),
                "CoCoOp.context"),
    ),
    Exercise(
        "Why CoCoOp is slow, and the shared prefix", "prompts/cocoop.py", """
`plain_class_weights` encodes B · K whole prompts, padding and all. Write `class_weights`: the same numbers, but [SOS]
and the context are encoded once for each picture, the class's own tokens up to the longest [EOS], and of the last block
only [EOS]. `block(x, prefix)` lets x [B·K, S, D] look at prefix [B, P, D], each shared by K neighbours. The check
counts the tokens that your blocks read. Question: why is this exact, and why would it be wrong in the image tower?""",
        "Under the causal mask no token sees what follows it. Positions of the class's own tokens begin at 1 + M.",
        45, (2, 7, 11),
        (("clip, K, (B, M, D) = self.clip, len(self.class_tokens), context.shape",
          "return self.plain_class_weights(context)", "slow"),
         ("x = x.repeat(B, 1, 1)", "x = x.repeat_interleave(B, dim=0)", "one picture")),
        blanks=("CoCoOp.class_weights",),
    ),
    Exercise(
        "UPT Eqs. (3), (4): VPT from shallow to deep", "prompts/vpt.py", """
Write `VPT.encode_image`. `self.V` [depth, n, D_v] holds prompts for the first `depth` layers. They enter between [CLS]
and the patches. Before a layer that has prompts of its own, what came out in the place of the old ones is thrown away.
After the last layer with prompts, what comes out goes on through the tower (VPT-shallow is depth = 1).
`before_ln_pre`: the prompts of the first layer pass through `visual.ln_pre`.""",
        "[CLS] is x[:, :1], and the patches are the last ones. Read [CLS] at the end with `visual.pool`.",
        30, (3,),
        (("x[:, -patches:]], dim=1)", "x[:, 1:]], dim=1)", "pile up"),
         ("            if i < len(self.V):", "            if i == 0:", "layer 2")),
        blanks=("VPT.encode_image",),
    ),
    Exercise(
        "UPT Eq. (5): theta", "prompts/upt.py", """
Write self-attention over the 2n prompts of each layer (`Theta.self_attention`, the case attention="paper") and both
lines of Eq. (5) in `Theta.forward`. Look closely at the equation: which residuals are normalised?
`self.dropout` acts on what SA and FFN give.""",
        "U is [depth, 2n, D]: the 2n prompts are the sequence. Heads are slices of D. Both residuals go through an LN.",
        35, (2, 13),
        (("self.dropout(self.self_attention(U)) + self.ln_1(U)", "self.dropout(self.self_attention(U)) + U",
          "first residual"),
         ("return self.dropout(self.ffn(normed)) + normed", "return self.dropout(self.ffn(normed)) + U",
          "second residual")),
        blanks=(("Theta.self_attention", "q, k, v = (x.unflatten", "return self.out_proj(F.scaled"),
                ("Theta.forward", "U = self.dropout(self.self_attention(U))", "return self.dropout(self.ffn(normed))")),
    ),
    Exercise(
        "Attention that mixes no prompts: find it", "prompts/upt.py", """
Nothing is blank here: one mistake is planted in UPT, and it trains without a complaint. The idea of Eq. (5) is lost:
the prompts of a layer do not see each other. Find out how you could have noticed (change one prompt; what else
changes?), then find the line and mend it. notes/upt.md tells where this has happened.""",
        "Which axis of U is the sequence, and which one is the batch?",
        30, (14,),
        (("self.dropout(self.self_attention(U)) + self.ln_1(U)",
          "self.dropout(torch.cat([self.self_attention(half) for half in U.chunk(2, dim=1)], dim=1)) + self.ln_1(U)",
          "other half"),
         ("self.dropout(self.self_attention(U)) + self.ln_1(U)",
          "self.dropout(self.self_attention(U.flatten(0, 1)[None])[0].unflatten(0, U.shape[:2])) + self.ln_1(U)",
          "different layers")),
        planted=("self.dropout(self.self_attention(U)) + self.ln_1(U)",
                 "self.dropout(self.self_attention(U.transpose(0, 1)).transpose(0, 1)) + self.ln_1(U)"),
    ),
    Exercise(
        "UPT Eqs. (6) to (8): variance of features", "prompts/experiments/variance.py", """
Write both functions. Features are normalised first. The square of a vector means the sum of its squares. Eq. (6)
divides by the number of pictures of the class, Eqs. (7) and (8) by the number of classes. Return Python floats.
Question: what is the largest value that Eq. (8) can have?""",
        "First the mean in each class, then the mean over classes: a large class counts no more than others.",
        20, (4,),
        (("(X_c - X_c.mean(dim=0)).square().sum(dim=-1).mean()", "(X_c - X_c.mean(dim=0)).square().mean()", "sum"),
         ("(w - w.mean(dim=0)).square().sum(dim=-1).mean().item()", "w.var(dim=0).sum().item()", "K - 1")),
        blanks=("intra_class_variance", "inter_class_variance"),
    ),
    Exercise(
        "Base and new classes", "clip_min/data/datasets.py", """
Write `split_classes` for "base", "new" and a wrong word (CoCoOp Sec. 4.1). Base is the first ceil(K/2) labels, new the
rest, relabelled from 0. All three parts of the data set are filtered; the data set that you got stays as it was.
Question: why is each half scored among its own classes only?""",
        "dataclasses.replace makes a changed copy. `range(...)` knows `in` and `.start`.",
        15, (10,),
        (("half = math.ceil(len(dataset.classnames) / 2)", "half = len(dataset.classnames) // 2", "ceil"),
         ("Item(item.path, item.label - labels.start)", "Item(item.path, item.label)", "from 0")),
        blanks=(("split_classes", "half =", "return dataclasses.replace"),),
    ),
    Exercise(
        "The harmonic mean", "prompts/experiments/tables.py", """
Write `harmonic_mean`. `cells` is {"base": {seed: accuracy}, "new": {seed: accuracy}}. First the mean over the seeds,
then H = 2 b n / (b + n). None if one half was not measured. Question: which method wins by H, one with 80 and 60, or
one with 70 and 69, and why do the papers prefer H to the plain mean?""",
        "Think of b + n = 0, too.",
        10, (17,),
        (("return 2 * b * n / (b + n) if b + n else 0.0", "return (b + n) / 2", "arithmetic"),
         ("statistics.mean(cells[classes].values()) for", "max(cells[classes].values()) for", "mean over the seeds")),
        blanks=("harmonic_mean",),
    ),
    Exercise(
        "Silent bug 1: it is no cosine", "prompts/coop.py", """
One mistake is planted. CoOp trains with it, and the loss falls. Symptom: the logits are not cos(g(t_i), f) / tau of
Eq. (3). Find it and mend it. Write down which one-line experiment showed it to you.""",
        "A vector of length 1: along which axis?",
        20, (4, 6),
        (("weights = F.normalize(self.class_weights(), dim=-1)  # [K, E]", "weights = self.class_weights()  # [K, E]",
          "Eq. (3)"),
         ("F.normalize(image_features, dim=-1) @", "F.normalize(image_features, dim=0) @", "Eq. (3)")),
        planted=("weights = F.normalize(self.class_weights(), dim=-1)  # [K, E]",
                 "weights = F.normalize(self.class_weights(), dim=0)  # [K, E]"),
    ),
    Exercise(
        "Silent bug 2: the fast path is not exact", "prompts/upt.py", """
One mistake is planted. UPT trains with it, and the loss falls. Symptom: the class vectors are not those that whole
sequences would give. Shapes are right, the first layer is right. Find it and mend it.""",
        "What do the class's own tokens look at in layer i, and what would they look at in one long sequence?",
        30, (12,),
        (("x, prefix = block(x, prefix), block(prefix)", "x = block(x, prefix)", "whole sequences"),
         ("x, prefix = block(x, prefix), block(prefix)", "x, prefix = block(x), block(prefix)", "whole sequences")),
        planted=("x, prefix = block(x, prefix), block(prefix)",
                 "prefix = block(prefix)\n                x = block(x, prefix)"),
    ),
    Exercise(
        "Silent bug 3: only in company", "prompts/cocoop.py", """
One mistake is planted. CoCoOp trains with it, and the loss falls. With a batch of one picture all is right; a test with
the names "cat", "dog", "cow" finds nothing either. Symptom: a picture's logits depend on what else is in the batch.
Find it and mend it.""",
        "In which order do the B · K prompts stand: the first picture's classes, or the first class's pictures?",
        40, (12,),
        (("row=self.eos.repeat(B)", "row=self.eos.max().repeat(len(x))", "alone"),
         ("x = x.repeat(B, 1, 1)", "x = x.repeat_interleave(B, dim=0)", "company")),
        planted=("row=self.eos.repeat(B)", "row=self.eos.repeat_interleave(B)"),
    ),
    Exercise(
        "Open: beat UPT with 3,000 numbers", "prompts/joint.py", """
UPT learns 120,192 numbers on the tiny CLIP. You have 3,000. Invent where the prompts come from: write what is learned
(in `Joint.__init__`, for any `design`) and `Joint.prompts`, which turns it into text prompts T and visual prompts V.
All the rest is given; you may change it, and the learning rate in `TINY`, too. Keep the name Joint. The check counts,
trains your method and UPT on a small part of toy-glyphs (4 shots, 5 epochs, seeds 1 and 2), and prints both accuracies.
One try on few pictures proves little: say in your report how sure you are, and how you would find out.""",
        "What does each tower need to be told, and how few numbers can say it? Where does a good start come from?",
        90, (6, 13, 14),
        (("self.V = nn.Parameter(0.02 * torch.randn(depth, n_ctx, D_v))",
          "self.V = nn.Parameter(0.02 * torch.randn(depth, 2 * n_ctx, D_v))", "3,000"),
         ("return self.T, self.V  # UPT Fig. 5 (a)", "return self.T, self.V.detach()", "no gradient")),
        blanks=(("Joint.__init__", 'if design == "joint":'), "Joint.prompts"),
    ),
], start=1))  # fmt: skip
