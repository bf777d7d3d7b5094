"""What stands on the pages: one row for each equation, and for what an equation leaves unsaid.

To add a page: a list of Rows, and a line in `PAGES`. The order of the printed statements, their
nesting, shapes and values come from a run; symbols and their names from the table in the head of
the page's file. A name that is not found there or in the run is an error.
"""

from dataclasses import dataclass, field

CLIP, TREE = "clip_min/model.py", "clip_min/prompting/tree.py"
OF_UPT, OF_COCOOP = "prompts/upt.py", "prompts/cocoop.py CoCoOp"
OF_KGCOOP, OF_MAPLE = "prompts/kgcoop.py", "prompts/maple.py MaPLe"
OF_PROMPTSRC = "prompts/promptsrc.py PromptSRC"


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a page.

    title: "CoOp Eq. (3)" (then one of the functions has this tag), or words.
    says: two or three sentences. code: lines "file function", the calling one first; behind ":"
    words of the statements to print, with "|" between, where not all that ran are wanted.
    formula: LaTeX; "" takes the one that the paper's note gives to this equation.
    symbols: more names for symbols, "V=v or values; U_t==U_t" (== : another index is another
    symbol). options: of the method in this run.
    method: whose run it is; "" means the page's own.
    """

    title: str
    says: str
    code: str
    formula: str = ""
    symbols: str = ""
    options: dict = field(default_factory=dict)
    method: str = ""

    def with_letters_of(self, title, **changes):
        """The same code beside the same equation of another paper."""
        return Row(**{**vars(self), "title": title, **changes})


@dataclass(frozen=True)
class Page:
    """The rows of one method; file: where its head stands."""

    file: str
    rows: tuple


ZERO_SHOT = Row("CoOp Eq. (1)",
    "Each class $i$ has a vector $w_i$, and the picture has a vector $f$. Their cosine, divided "
    "by $\\tau$, is the logit of the class; softmax turns the logits of all K classes into "
    "probabilities. The code stops at the logits: the loss applies softmax, and the largest "
    "logit is the answer without it.",
    f"""prompts/zero_shot.py ZeroShot.classify
        {CLIP} cosines""",
    symbols="w=class_weights",
    method="zero_shot")
BLOCK = Row("One block",
    "Both towers are stacks of this block. LayerNorm comes first, inside each branch, so $x$ "
    "itself goes through unchanged, and each branch adds something to it. A block does not know "
    "what a prompt is: it gets x and a mask.",
    f"{CLIP} ResidualAttentionBlock.forward",
    r"x' = x + \mathrm{attention}(\mathrm{LN}(x)), \qquad x'' = x' + \mathrm{MLP}(\mathrm{LN}(x'))",
    r"x=x; \mathrm{attention}=attn; \mathrm{LN}=ln_1 or ln_2; \mathrm{MLP}=mlp")
ATTENTION = Row("Attention",
    "Each token asks ($Q$), and every token answers with a key ($K$) and a value ($V$). The "
    "width is cut into heads of $d = 64$, and each head does this by itself. PyTorch's own "
    "function computes the formula; the mask of the text tower lets a token see only what stands "
    "before it.",
    f"{CLIP} Attention.forward",
    r"\mathrm{softmax}\left(Q K^{\mathsf T}/\sqrt{d}\right) V",
    r"Q=q; K=k; V=v; \mathrm{softmax}=scaled_dot_product_attention")
LEARNING = Row("Learning",
    "The loss is the cross-entropy of the right class $y$: minus the logarithm of its probability. "
    "backward() sends its gradient through the frozen towers to the prompt, and the optimiser "
    "moves nothing but the prompt. CoOp's Sec. 3.1 has the recipe.",
    """train.py train: logits, loss = | .backward() | .step(
       train.py objective""",
    r"\mathcal{L} = -\log p(y \mid x), \qquad p(y=i \mid x) = "
    r"\frac{\exp s_i}{\sum_{j=1}^{K} \exp s_j}",
    r"\mathcal{L}=loss; s=logits; y=labels")
OWN_LOSS = "train.py train: logits, loss = | .backward() | .step(\ntrain.py objective\n"

PAGES = {
    "zero_shot": Page("prompts/zero_shot.py", (
        ZERO_SHOT,
        Row("A sentence for each class",
            "The name of each class is put into a hand-written sentence $t_i$, and the text "
            "tower $g$ makes a vector of it. Its length is set to 1. With several sentences, "
            "their vectors are averaged.",
            """prompts/zero_shot.py ZeroShot.set_classes
               clip_min/prompting/words.py word_vectors: for template | texts = | append(""",
            r"w_i = \frac{g(t_i)}{\| g(t_i) \|}",
            "w=mean or weights; g=clip.encode_text; t=texts"),
        Row("The text tower",
            "The ids of the tokens become vectors, and each place adds a vector of its own, $P$. "
            "After the blocks, the row at [EOS] is read: under the causal mask it is the only "
            "one that has seen the whole sentence. [EOS] has the largest id, so argmax finds its "
            "place.",
            f"""{CLIP} CLIP.encode_text
                {CLIP} CLIP.embed_text
                {CLIP} causal_mask
                {CLIP} CLIP.pool_text""",
            r"x = e(t) + P, \qquad g(t) = \mathrm{LN}(\mathrm{blocks}(x)_{\mathrm{EOS}})\, W",
            r"t=tokens; e=token_embedding; P=positional_embedding; x=x; \mathrm{EOS}=eos; "
            r"W=text_projection; \mathrm{LN}=ln_final; \mathrm{blocks}=transformer"),
        BLOCK,
        ATTENTION,
        Row("The image tower",
            "A picture is cut into S patches, and one linear map makes a vector of each: a "
            "convolution whose step is its own width. A learned vector $c$, the class token, "
            "stands in front. After the blocks its row is read; nothing else leaves the tower.",
            f"""{CLIP} VisionTransformer.forward
                {CLIP} VisionTransformer.embed
                {CLIP} VisionTransformer.pool""",
            r"x = \mathrm{LN}([c, z_1, \ldots, z_S] + P), \qquad "
            r"f = \mathrm{LN}(\mathrm{blocks}(x)_c)\, W",
            r"c=class_token or class_embedding; z=conv1; P=positional_embedding; x=x; W=self.proj; "
            r"\mathrm{LN}=ln_pre or ln_post; \mathrm{blocks}=transformer; f=pool"),
        Row("How both towers were trained",
            "A batch has N pairs of picture and caption. Each picture must find its own caption "
            "among the N (rows), and each caption its own picture (columns). Nothing here knows "
            "classes: those come later, as sentences.",
            "clip_min/world/pretrain.py contrastive_loss",
            r"\mathcal{L} = -\frac{1}{2N} \sum_{k=1}^{N} \left[ \log "
            r"\frac{\exp(a_k \cdot b_k/\tau)}{\sum_l \exp(a_k \cdot b_l/\tau)} "
            r"+ \log \frac{\exp(a_k \cdot b_k/\tau)}"
            r"{\sum_l \exp(a_l \cdot b_k/\tau)} \right]",
            r"a=image_features; b=text_features; \tau=logit_scale.exp; k=labels"),
    )),
    "coop": Page("prompts/coop.py", (
        ZERO_SHOT,
        Row("CoOp Eq. (2)",
            "A prompt is $M$ learned vectors and then the name of the class. `splice` writes it as "
            "symbols: an id for each word, and −1, −2, … for the learned vectors. `embed` puts "
            "a vector at each place: a word's own, or a learned one. [SOS], full stop and [EOS] "
            "are there, too; the equation leaves them out.",
            f"""{TREE} splice: context = [ | words, full_stop | spliced = | prompts.append
                prompts/coop.py CoOp.plain_class_weights: clip, v | embed(
                {TREE} embed""",
            symbols=r"[V]=v or context or vectors; [\mathrm{CLASS}]=words or symbols; "
            "t=spliced or x"),
        Row("CoOp Eq. (4)",
            "The name may stand in the middle: half of the vectors come before it, half behind. "
            "Only the order of the symbols changes. Everything else is the same code.",
            f"""{TREE} splice: before = | words, full_stop | spliced =
                prompts/coop.py CoOp.plain_class_weights: embed(""",
            symbols=r"[V]=v or context; [\mathrm{CLASS}]=words or symbols; t=spliced or x; M=n_ctx",
            options=dict(class_token_position="middle")),
        Row("g, the text tower",
            "As published: every prompt is padded to the full length and sent through the frozen "
            "tower. The row at [EOS] is the class's vector. The gradient comes back the same way, "
            "down to the learned vectors.",
            f"""prompts/coop.py CoOp.plain_class_weights: transformer | pool_text
                {CLIP} Transformer.forward
                {CLIP} CLIP.pool_text""",
            r"g(t_i) = \mathrm{LN}(\mathrm{blocks}(t_i)_{\mathrm{EOS}})\, W",
            r"g(t)=pool_text; t_i=x; \mathrm{EOS}=eos; W=text_projection; \mathrm{LN}=ln_final; "
            r"\mathrm{blocks}=transformer or resblocks or block"),
        Row("CoOp Eq. (3)",
            "Eq. (1) again, with $g(t_i)$ for $w_i$. The class vectors are computed anew in each "
            "step, because the prompt has moved; the picture's $f$ stays the same for ever, "
            "because nothing in the image tower is learned.",
            f"""prompts/coop.py CoOp.classify
                prompts/coop.py CoOp.class_weights
                {CLIP} cosines"""),
        Row("The same without computing anything twice",
            "All prompts begin with [SOS] and the $M$ vectors, and under the causal mask equal "
            "beginnings stay equal in every block. So all $K$ prompts are one sequence, a tree: "
            "the beginning stands there once, and a mask lets each token see its own ancestors. "
            "notes/fast.md explains why this is exact.",
            f"""prompts/coop.py CoOp.class_weights
                {TREE} encode_trees: x = embed | positional | layer(x | pool_text | return""",
            r"x = [\mathrm{SOS}, [V]_1 \ldots [V]_M, \mathrm{CLASS}_1, \ldots, \mathrm{CLASS}_K], "
            r"\qquad g(t_i) = \mathrm{blocks}(x, \mathrm{mask})_{\mathrm{EOS}_i}",
            r"[V]=context; x=x; \mathrm{mask}=mask; \mathrm{EOS}=eos; "
            r"\mathrm{blocks}=layers or layer; "
            r"g(t)=features; \mathrm{CLASS}=symbols"),
        LEARNING,
    )),
    "cocoop": Page("prompts/cocoop.py", (
        ZERO_SHOT.with_letters_of("CoCoOp Eq. (1)", symbols="w=class_weights or weights; "
                                  "x=image_features", says=(
            "Zero-shot CLIP in the letters of this paper: $x$ is the picture's feature, not the "
            "picture. sim is the cosine.")),
        Row("CoCoOp Eq. (2)",
            "CoOp in the letters of this paper: $t_i$ is the learned context and the embedding "
            "$c_i$ of the class name. The same $t_i$ serves every picture.",
            f"""prompts/coop.py CoOp.classify
                {CLIP} cosines""",
            symbols=r"x=image_features; g(t_i)=class_weights; \tau=logit_scale.exp",
            method="coop"),
        Row("CoCoOp Eq. (3): the context of a picture",
            "The Meta-Net $h_\\theta$ reads the picture's feature and returns one vector $\\pi$. "
            "It is added to each of the $M$ context vectors. So there are $M$ vectors for each "
            "picture now: look at the shapes.",
            "prompts/cocoop.py CoCoOp.context",
            r"\pi = h_\theta(x), \qquad v_m(x) = v_m + \pi",
            "v=ctx; v(x)=context"),
        Row("CoCoOp Eq. (3): the prompts of a picture",
            "The prompts of all K classes are made for each picture: B times K texts go through "
            "the text tower, and not K as in CoOp. This is what makes CoCoOp slow as published.",
            f"""{OF_COCOOP}.plain_class_weights: for v | embed( | transformer( | append(
                {TREE} embed""",
            r"t_i(x) = \{v_1(x), v_2(x), \ldots, v_M(x), c_i\}",
            "v(x)=v or context or vectors; c_i=symbols or words; t_i(x)=x"),
        Row("CoCoOp Eq. (3)",
            "Each picture is compared with its own class vectors: class_weights has the pictures "
            "in front, [B, K, E]. Otherwise it is Eq. (2).",
            f"""prompts/cocoop.py CoCoOp.classify
                {CLIP} cosines""",
            symbols="x=image_features; g(t_i(x))=class_weights"),
        LEARNING,
    )),
    "vpt": Page("prompts/vpt.py", (
        ZERO_SHOT.with_letters_of("UPT Eq. (1)", method="", code=f"""prompts/vpt.py VPT.classify
            {CLIP} cosines""", symbols="w=class_weights; z=image_features", says=(
            "VPT leaves the text as it is: $w$ comes from a hand-written sentence. What is learned "
            "stands in the image tower, so $z$ changes in training.")),
        Row("UPT Eq. (3)",
            "Layer $l_i$ of the image tower takes the class token $c$ and the patches $z_1 "
            "\\ldots z_s$, and gives as many vectors back. Without prompts the loop is CLIP's "
            "own.",
            "prompts/vpt.py VPT.encode_image: visual.embed | B, patches | for i | x = layer(x)",
            symbols="c=x; z=patches; l_i=layer or layers"),
        Row("UPT Eq. (4)",
            "Visual prompts $V$ stand between class token and patches. Every patch can look at "
            "them. What comes out in their place is dropped, and the next layer gets prompts of "
            "its own: VPT-deep. With depth=1 the condition is false from the second layer on: "
            "VPT-shallow.",
            "prompts/vpt.py VPT.encode_image: for i | if i | V = | torch.cat | x = layer(x) | pool",
            symbols="V=V; c=x[:, :1]; Z=x[:, -patches:]; l_i=layer or layers"),
        LEARNING,
    )),
    "upt": Page(OF_UPT, (
        ZERO_SHOT.with_letters_of("UPT Eq. (1)", method="", code=f"""{OF_UPT} UPT.classify
            {CLIP} cosines""", symbols="w=class_weights; z=image_features", says=(
            "Both sides are learned now: $w$ comes from a prompted text tower, $z$ from a prompted "
            "image tower.")),
        Row("UPT Eq. (5)",
            "One small transformer layer $\\theta$ transforms the prompts of a layer. In its "
            "attention, SA, all 2n of them look at each other: so text and visual prompts meet. "
            "notes/upt.md says why SA reads LN(U) here: to the letter, $U$ is so small that its "
            "prompts hardly mix.",
            f"""{OF_UPT} Theta.forward
                {OF_UPT} Theta.self_attention""",
            symbols=r"\mathrm{SA}=self_attention; \mathrm{FFN}=ffn; \mathrm{LN}=ln_1 or ln_2 or "
            "LN_U or LN_U1; U=U; U'=U1; \\hat U=U_hat"),
        Row("The cut",
            "The output of $\\theta$ is cut in two. One half goes to the text tower. The other "
            "goes through a linear map to the width of the image tower. Both come from the same "
            "$U$.",
            f"{OF_UPT} UPT.prompts",
            r"\hat U^i = \{\hat U_t^i, \hat U_v^i\}, \qquad T^i = \hat U_t^i, \qquad "
            r"V^i = W \hat U_v^i",
            r"\hat U_t==U_t; \hat U_v==U_v; W=to_visual"),
        Row("UPT Eq. (2)",
            "Text prompts stand before the name, as in CoOp. Behind the first layer they are "
            "replaced: each layer has its own, in the same places. The tree of all classes has "
            "them once.",
            f"""{OF_UPT} UPT.class_weights
                {TREE} encode_trees: x = embed | torch.cat | layer(x | pool_text""",
            symbols=r"t=T or deeper or context; \mathrm{CLASS}=trees or symbols; \hat T=x"),
        Row("UPT Eq. (3), UPT Eq. (4)",
            "The loop over the layers of the image tower. Each layer gets the class token $c$, "
            "its own prompts $V$, and the patches $Z$; what comes out in the prompts' place is "
            "dropped.",
            f"{OF_UPT} UPT.encode_image",
            r"[c^{i+1}, \_, Z^{i+1}] = l_i([c^i, V^i, Z^i])",
            symbols="V=V; c=x[:, :1]; Z=x[:, -patches:]; l=layer or layers"),
        Row("UPT Eq. (6), UPT Eq. (7)",
            "How much pictures vary within a class. Each class has a mean picture; "
            "$\\mathrm{var}_c$ is the mean squared distance from it, and $\\mathrm{Var}_v$ "
            "averages over the classes. It trains nothing: the paper uses it to say where text "
            "prompts gain little.",
            "prompts/reports/variance.py intra_class_variance",
            symbols=r"\mathrm{var}_c=var_c; X_c=X_c; f=z; \bar f_\phi=X_c.mean; k=len(classes); "
            r"\mathrm{Var}_v=total"),
        Row("UPT Eq. (8)",
            "How far the class vectors lie apart. Where they lie close together, names are alike, "
            "and visual prompts gain little, says the paper.",
            "prompts/reports/variance.py inter_class_variance",
            symbols=r"w=w; \bar w=w.mean; \mathrm{Var}_t=mean().item()"),
        LEARNING,
    )),
    "joint": Page("prompts/joint.py", (
        Row("UPT Fig. 5 (a): joint",
            "Text prompts $T$ and visual prompts $V$ are learned side by side, and know nothing of "
            "each other. $T$ stands at the input of the text tower, as in CoOp; $V$ in every layer "
            "of the image tower, as in VPT.",
            """prompts/joint.py Joint.classify
               prompts/joint.py Joint.class_weights
               prompts/joint.py Joint.prompts""",
            r"w = g([T, \mathrm{CLASS}]), \qquad z = f(x, V)",
            r"T=self.T; V=self.V; w=class_weights; z=image_features"),
        Row("UPT Fig. 5 (b): shared",
            "One set $U$ for both towers. The text tower takes it as it is. A linear map $W$ takes "
            "it to the width of the image tower, because the widths differ.",
            "prompts/joint.py Shared.prompts",
            r"T = U, \qquad V = W U",
            "U=self.U; W=to_visual",
            method="shared"),
        Row("UPT Fig. 5 (c): mlp",
            "As in UPT, $U$ is transformed and cut in two. But two linear layers take the place of "
            "the transformer layer: no prompt sees another one.",
            "prompts/joint.py MLP.prompts",
            r"[U_t, U_v] = \mathrm{MLP}(U), \qquad T = U_t, \qquad V = W U_v",
            r"U=self.U; \mathrm{MLP}=self.mlp; U_t==U_t; U_v==U_v; W=to_visual",
            method="mlp"),
        Row("UPT Eq. (2), UPT Eq. (3), UPT Eq. (4)",
            "What all three do with their prompts is the same: text prompts before the name, new "
            "visual prompts in each layer of the image tower.",
            """prompts/joint.py prompted_class_weights
               prompts/joint.py prompted_image_features""",
            r"\hat T = [t_1, \ldots, t_m, \mathrm{CLASS}], \qquad "
            r"[c^{i+1}, \_, Z^{i+1}] = l_i([c^i, V^i, Z^i])",
            r"t=T; \mathrm{CLASS}=trees; V=V; c=x[:, :1]; Z=x[:, -patches:]; l=layer or layers"),
    )),
    "kgcoop": Page(OF_KGCOOP, (
        Row("The class vectors, and those of the words",
            "Each class has two vectors. $w_i$ comes from the learned context $v$, as in CoOp. "
            "$w_i^{clip}$ comes from a hand-written sentence, once, and nothing changes it.",
            f"""{OF_KGCOOP} KgCoOp.class_weights
                {TREE} encode_trees: x = embed | layer(x | pool_text
                {OF_KGCOOP} KgCoOp.set_classes: words =""",
            r"w_i = g(v_1, \ldots, v_M, \mathrm{CLASS}_i), \qquad "
            r"w_i^{clip} = g(\mathrm{words}_i)",
            r"v=self.ctx or context; w_i^{clip}==words; g=pool_text or word_vectors; "
            r"\mathrm{CLASS}=trees or symbols; \mathrm{words}=template"),
        Row("KgCoOp Sec. 3.2: the distance",
            "How far the learned class vectors are from those of the words. As published it is 1 "
            "minus the mean cosine: half of the mean squared distance of vectors of length 1. "
            "From \"a photo of a\" it is 0 at the start.",
            f"{OF_KGCOOP} distance",
            r"\mathcal{L}_{kg} = 1 - \frac{1}{N_c} \sum_{i=1}^{N_c} \cos(w_i, w_i^{clip})",
            r"\mathcal{L}_{kg}==distance; w_i^{clip}==words; w_i==w; N_c=mean"),
        Row("KgCoOp Sec. 3.2: the loss",
            "The cross-entropy pulls the prompt to the pictures, the distance pulls it back to the "
            "words; $\\lambda$ says how strongly. A method with a `loss` of its own is asked for "
            "it; the rest of learning is CoOp's.",
            f"{OWN_LOSS}{OF_KGCOOP} KgCoOp.loss",
            r"\mathcal{L} = \mathcal{L}_{ce} + \lambda \mathcal{L}_{kg}",
            r"\mathcal{L}==loss; \mathcal{L}_{ce}==cross_entropy; \lambda=strength; "
            r"\mathcal{L}_{kg}==distance"),
    )),
    "maple": Page("prompts/maple.py", (
        Row("MaPLe Eq. (1)",
            "The first $J$ layers of the text tower. $P_{i-1}$ are the prompts of layer $i$, $W_i$ "
            "all other tokens. What comes out at the prompts' places is dropped, and the next "
            "prompts stand there.",
            f"""{OF_MAPLE}.class_weights
                {TREE} encode_trees: x = embed | positional | if 0 < | torch.cat | layer(x""",
            symbols=r"P=self.P or context or deeper; W=x; \mathcal{L}=layer or layers"),
        Row("MaPLe Eq. (2)",
            "The layers behind them get no new prompts. What came out at the prompts' places flows "
            "on. The condition is false there: here the run has $J$ = 2 of 4 layers.",
            f"""{OF_MAPLE}.class_weights
                {TREE} encode_trees: for i | if 0 < | torch.cat | layer(x""",
            symbols=r"P=self.P or deeper; W=x; \mathcal{L}=layer or layers",
            options=dict(depth=2)),
        Row("MaPLe Eq. (3)",
            "The last token is [EOS]. Behind the last layer its row $w_K^N$ becomes the class's "
            "vector $z$.",
            f"""{OF_MAPLE}.class_weights
                {TREE} encode_trees: pool_text | return
                {CLIP} CLIP.pool_text""",
            symbols=r"z=class_weights or features; w=x; \mathrm{TextProj}=text_projection"),
        Row("MaPLe Sec. 3.2.3: the coupling",
            "A linear map of each layer makes the visual prompts from the text prompts. So the "
            "gradients of both towers meet in $P_k$.",
            f"{OF_MAPLE}.visual_prompts",
            r"\tilde P_k = \mathcal{F}_k(P_k)",
            r"\mathcal{F}=F_k or self.coupling; P_k=P_k or self.P; \tilde P_k==visual_prompts"),
        Row("MaPLe Sec. 3.2.2: the image tower",
            "Class token $c$ and patches $E$ keep their places, and the visual prompts stand "
            "behind them: new ones in each of the first $J$ layers.",
            f"""{OF_MAPLE}.encode_image
                {OF_MAPLE}.visual_prompts""",
            r"[c_i, E_i, \_] = \mathcal{V}_i([c_{i-1}, E_{i-1}, \tilde P_{i-1}])",
            r"c_{i-1}, E_{i-1}==x[:, :own]; \mathcal{V}=layer or layers; "
            r"\tilde P=prompts or visual_prompts or V"),
        Row("MaPLe Sec. 3.1: the prediction",
            "CLIP's, with both sides learned. The paper divides by $\\tau$ in the numerator only, "
            "which must be an oversight: the code divides all cosines.",
            f"""{OF_MAPLE}.classify
                {CLIP} cosines""",
            r"p(y=i \mid x) = \frac{\exp(\cos(x, z_i)/\tau)}{\sum_j \exp(\cos(x, z_j)/\tau)}",
            r"x=image_features; z=class_weights; \tau=logit_scale.exp; \cos=cosines"),
        LEARNING,
    )),
    "promptsrc": Page("prompts/promptsrc.py", (
        Row("PromptSRC Sec. 3.1: prompts in both towers",
            "Text prompts $T$ and visual prompts $V$, new ones in each of the first layers, "
            "without a map between them. $g_p$ and $f_p$ are the features with prompts.",
            f"""{OF_PROMPTSRC}.class_weights
                {OF_PROMPTSRC}.encode_image""",
            r"g_p = g([T, \mathrm{CLASS}]), \qquad f_p = f(x, V)",
            r"g_p==class_weights; f_p==encode_image; T=self.T; V=V or self.V; "
            r"\mathrm{CLASS}=trees; x=images"),
        Row("PromptSRC Eq. (1)",
            "The task: a cross-entropy over the prompts, as in all methods. sim is the cosine over "
            "$\\tau$. Each picture goes through the image tower twice: with prompts for $f_p$, and "
            "without for $f$, which Eqs. (2) and (3) need.",
            f"""{OF_PROMPTSRC}.loss: features = | f_p, g_p | scale = | logits, frozen | return
                {CLIP} cosines""",
            symbols=r"f_p==f_p; g_p==g_p; \mathcal{L}_{CE}==F.cross_entropy; y=labels; "
            r"X==images; \mathrm{sim}=cosines or scale"),
        Row("PromptSRC Eq. (2)",
            "Features with prompts stay near those without. The code takes means of the absolute "
            "differences, of features of length 1; the paper writes sums.",
            f"{OF_PROMPTSRC}.loss: features = | f_p, g_p | image, text",
            symbols=r"\mathcal{L}_{SCL-image}==image; \mathcal{L}_{SCL-text}==text; "
            r"f_p==f_p; g_p==g_p; f==f; g==g"),
        Row("PromptSRC Eq. (3)",
            "Predictions with prompts, $p$ in the code, stay near those without, $q$. The code "
            "has $D_{KL}$ the other way round, and divides it by the number of classes.",
            f"{OF_PROMPTSRC}.loss: logits, frozen | p, q | kl =",
            symbols=r"\mathcal{L}_{SCL-logits}==kl; f_p==f_p; g_p==g_p; f==f; g==g; "
            r"\mathrm{sim}=cosines"),
        Row("PromptSRC Sec. 3.2.3: many sentences",
            "The text features without prompts are means over $N$ = 60 sentences about each class. "
            "They are computed when a loss first asks for them, without gradients.",
            f"""{OF_PROMPTSRC}.loss: if self.g | self.g =
                clip_min/prompting/words.py word_vectors""",
            r"g = \frac{1}{N} \sum_{i=1}^{N} g^i",
            r"g^i==clip.encode_text or features; N=self.templates or templates; g==self.g"),
        Row("PromptSRC Eq. (4), PromptSRC Eq. (5)",
            "The sum of the three, with weights, and the loss of learning. The weights are "
            "$\\lambda_1$ = 10 and $\\lambda_2$ = 25; a third one, 1, is an option here.",
            f"{OF_PROMPTSRC}.loss: image, text | kl = | scl = | return",
            symbols=r"\lambda=self.loss_weights; \mathcal{L}_{SCL-image}==image; "
            r"\mathcal{L}_{SCL-text}==text; \mathcal{L}_{SCL-logits}==kl; \mathcal{L}_{SCL}==scl; "
            r"\mathcal{L}_{CE}==F.cross_entropy"),
        Row("PromptSRC Eq. (6)",
            "Each epoch $i$ has a weight: a bell curve with mean $\\mu$, and the deviation that "
            "the paper calls $\\sigma^2$. No random number is drawn. The softmax divides by "
            "the sum of the weights.",
            "prompts/promptsrc.py gaussian_weights",
            symbols=r"E==epochs; w_i==gaussian_weights; \mu=mean; \sigma=deviation; "
            r"\sum==softmax; i=i"),
        Row("PromptSRC Eq. (7)",
            "The prompts that are used in the end are the weighted mean of those of all epochs. "
            "`after_epoch` adds those of one epoch; after the last it puts the mean in their "
            "place. The run here has one epoch.",
            f"{OF_PROMPTSRC}.after_epoch",
            symbols=r"w_i==w; P^{GPA}==mean; P_i==prompts; E==epochs"),
        LEARNING.with_letters_of("Learning", code=OWN_LOSS, formula=(
            r"\mathcal{L}_{final}, \qquad P \to P - \mathrm{step}(\nabla_P \mathcal{L}_{final})"),
            symbols=r"\mathcal{L}=loss; \mathrm{step}=step; \nabla=backward", says=(
                "A method with a `loss` of its own is asked for it; the rest is the same for all "
                "methods. backward() sends its gradient through both towers to $T$ and $V$.")),
    )),
    "linear_probe": Page("prompts/linear_probe.py", (
        Row("The classifier",
            "A weight for each class and each number of the feature, and an intercept. The names "
            "of the classes are not used. Before `fit` all weights are 0.",
            "prompts/linear_probe.py LinearProbe.classify",
            r"p(y \mid x) = \mathrm{softmax}(W f + b)",
            "W=self.weight; b=self.bias; f=image_features"),
        Row("How it is fitted",
            "Cross-entropy, and a penalty on large weights. $C$ says how much the pictures count "
            "against the penalty; it is searched on validation pictures. The sum is divided by "
            "$C N$, which does not move the minimum.",
            """prompts/linear_probe.py logistic_regression.objective""",
            r"C \sum_{i=1}^{N} \mathrm{CE}(W f_i + b, y_i) + \frac{1}{2} \|W\|^2",
            r"W=weight; b=bias; f=centred; y=labels; \mathrm{CE}=cross_entropy; C=C"),
    )),
}
