"""LaTeX, as much of it as the notes use, → MathML, which browsers draw without a script."""

import re
from html import escape

GREEK = {"tau": "τ", "theta": "θ", "pi": "π", "phi": "ϕ", "psi": "ψ", "lambda": "λ", "alpha": "α",
         "mu": "μ", "sigma": "σ"}
FUNCTIONS = ("exp", "cos", "log", "max", "min", "arg")
SIGNS = {"mid": "∣", "langle": "⟨", "rangle": "⟩", "ldots": "…", "cdot": "·", "in": "∈", "to": "→",
         "_": "_", "{": "{", "}": "}", "odot": "⊙", "times": "×", "sqrt": "√", "|": "‖",
         "lVert": "‖", "rVert": "‖", "sim": "∼", "nabla": "∇"}
SPACES = {"qquad": "2em", "quad": "1em", ",": "0.2em"}
ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~"}
SCRIPT = r"(?:[_^](?:\{[^{}]*\}|\\[a-z]+|\w))*"


def tokens_of(latex):
    r"""LaTeX → its commands, letters, numbers and signs.

    >>> tokens_of(r"\tau_i = 0.5")
    ['\\tau', '_', 'i', '=', '0.5']
    """
    return re.findall(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\S", latex)


def mathml(latex):
    r"""LaTeX → one line of MathML. `\sym{3}{…}` gets the class s3.

    >>> mathml(r"w_i")
    '<math display="block"><msub><mi>w</mi><mi>i</mi></msub></math>'
    """
    tokens = tokens_of(latex)
    return f'<math display="block">{row(tokens, None)}</math>'


def row(tokens, end):
    """Reads tokens up to `end` (None: all of them), and takes them off → MathML."""
    parts = []
    while tokens and tokens[0] != end:
        base, over = atom(tokens)
        scripts = {}
        while tokens and tokens[0] in ("_", "^", "'"):
            kind = tokens.pop(0)
            if kind == "'":
                base = f'<mrow>{base}<mo lspace="0" rspace="0" stretchy="false">′</mo></mrow>'
            else:
                scripts[kind] = atom(tokens)[0]
        tag = "".join(name for mark, name in (("_", "sub"), ("^", "sup")) if mark in scripts)
        if over and scripts:
            tag = tag.replace("sub", "under").replace("sup", "over")
        inner = base + "".join(scripts[mark] for mark in "_^" if mark in scripts)
        parts.append(f"<m{tag}>{inner}</m{tag}>" if tag else base)
    if end:
        tokens.pop(0)
    return "".join(parts)


def atom(tokens):
    """Reads one thing that can have an index → its MathML, and whether limits stand above it."""
    token = tokens.pop(0)
    name = token.lstrip("\\")
    if token == "{":
        return f"<mrow>{row(tokens, '}')}</mrow>", False
    if token == "\\sym":
        number = re.sub("<.*?>", "", atom(tokens)[0])
        inner = row(tokens[1:tokens_end(tokens)], None)
        del tokens[: tokens_end(tokens) + 1]
        return f'<mrow class="s s{number}" tabindex="0">{inner}</mrow>', False
    if token == "\\frac":
        return f"<mfrac>{atom(tokens)[0]}{atom(tokens)[0]}</mfrac>", False
    if token in ("\\mathrm", "\\mathsf", "\\mathcal", "\\mathbf", "\\mathbb"):
        word = "".join(tokens[1:tokens_end(tokens)]) if tokens[0] == "{" else tokens[0]
        del tokens[: tokens_end(tokens) + 1 if tokens[0] == "{" else 1]
        word = "ℒ" if (token, word) == ("\\mathcal", "L") else escape(word)
        return f'<mi mathvariant="normal">{word}</mi>', False
    if token.startswith("\\") and name in ACCENTS:
        return f'<mover accent="true">{atom(tokens)[0]}<mo>{ACCENTS[name]}</mo></mover>', False
    if token in ("\\left", "\\right"):
        sign = tokens.pop(0)
        return f'<mo stretchy="true">{SIGNS.get(sign.lstrip(chr(92)), sign)}</mo>', False
    if token == "\\sum":
        return "<mo>∑</mo>", True
    if token.startswith("\\") and name in SPACES:
        return f'<mspace width="{SPACES[name]}"/>', False
    if token.startswith("\\") and name in FUNCTIONS:
        return f'<mi>{name}</mi><mo>&#8289;</mo>', False
    if token.startswith("\\") and name in GREEK:
        return f"<mi>{GREEK[name]}</mi>", False
    if token.startswith("\\") and name not in SIGNS:
        raise ValueError(f"mathml.py does not know {token}: add it to one of its tables.")
    if token.isdigit() or "." in token[1:]:
        return f"<mn>{token}</mn>", False
    if token.isalpha():
        return f"<mi>{token}</mi>", False
    sign = {"-": "−"}.get(token, SIGNS.get(name, name) if token.startswith("\\") else token)
    return f'<mo stretchy="false">{escape(sign)}</mo>', False


def tokens_end(tokens):
    """Tokens that begin with { → the place of the } that belongs to it."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token == "{") - (token == "}")
        if depth == 0:
            return place
    raise ValueError(f"A bracket is not closed: {' '.join(tokens)}")
