"""CLIP's tokenizer: byte-level byte-pair encoding (BPE), from text to ids and back.

    Radford et al., Learning Transferable Visual Models From Natural Language Supervision,
        ICML 2021, arXiv:2103.00020, Sec. 2.4 (lower-cased byte-pair encoding)
    Sennrich, Haddow, Birch, Neural Machine Translation of Rare Words with Subword Units,
        ACL 2016, arXiv:1508.07909, Sec. 3.2 and Algorithm 1 (learning and applying merges)

A text is cleaned, cut into words, and each word is written as UTF-8 bytes, one symbol per byte.
The last symbol of a word carries the mark `</w>`, so "cat" begins as c, a, t</w>. Then neighbouring
symbols are joined, the earliest learned merge first, until no known merge is left. Every byte is a
symbol, so no text is ever unknown. The ids, in order (numbers on the right: OpenAI's vocabulary):

    256 bytes                 0 ... 255
    256 bytes ending a word   256 ... 511
    one symbol per merge      512 ... 49405
    <|startoftext|>           49406     [SOS], always the last id but one
    <|endoftext|>             49407     [EOS], always the last id
"""

import functools
import gzip
import hashlib
import html
import importlib.util
import os
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import ftfy
import regex
import torch

from clip_min.download import cache_folder, fetch
from clip_min.files import printable, read_json, write_whole

OPENAI_FILE = "bpe_simple_vocab_16e6.txt.gz"
OPENAI_VOCAB_SIZE = 49408
OPENAI_URL = f"https://github.com/openai/CLIP/raw/main/clip/{OPENAI_FILE}"
OPENAI_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
MAX_MERGES = OPENAI_VOCAB_SIZE - 256 - 256 - 2  # 48,894: the first of the file's 262,144
MAX_BYTES = 100_000_000  # of a file of merges, unpacked: OpenAI's has 3.2 million
END_OF_WORD = "</w>"
SOT, EOT = "<|startoftext|>", "<|endoftext|>"

# A word is, tried in this order: a special token, an English contraction, a run of letters,
# one digit, or a run of anything else that is not white space.
WORD = regex.compile(
    r"<\|startoftext\|>|<\|endoftext\|>|'(?:s|t|re|ve|m|ll|d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+",
    regex.IGNORECASE,
)


def clean(text: str) -> str:
    """Repair Unicode, resolve HTML entities (also doubly escaped), tidy spaces, lower the case.

    >>> clean("  A &amp;amp; B\\n cafÃ© ")
    'a & b café'
    """
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split()).lower()


def split_words(text: str) -> list[str]:
    """Clean a text and cut it into the words inside which BPE merges symbols.

    >>> split_words("It's 42 cats!?")
    ['it', "'s", '4', '2', 'cats', '!?']
    """
    return WORD.findall(clean(text))


def byte_alphabet() -> dict[int, str]:
    """Give each of the 256 bytes a visible character, so that merges can be kept in a text file.

    Bytes that are visible in Latin-1 stand for themselves and come first; the others (control
    characters, spaces) follow and borrow the characters from U+0100 on. The order is that of the
    ids.

    >>> byte_alphabet()[ord("a")], byte_alphabet()[ord(" ")], list(byte_alphabet()).index(ord("a"))
    ('a', 'Ġ', 64)
    """
    ascii_bytes, first_half = range(ord("!"), ord("~") + 1), range(ord("¡"), ord("¬") + 1)
    visible = [*ascii_bytes, *first_half, *range(ord("®"), ord("ÿ") + 1)]
    alphabet = {byte: chr(byte) for byte in visible}
    hidden = [byte for byte in range(256) if byte not in visible]
    alphabet.update({byte: chr(256 + i) for i, byte in enumerate(hidden)})
    return alphabet


CHAR_OF_BYTE = byte_alphabet()
BYTE_OF_CHAR = {char: byte for byte, char in CHAR_OF_BYTE.items()}


def to_symbols(word: str) -> list[str]:
    """Write a word as one symbol per UTF-8 byte, the last one marked as the word's end.

    >>> to_symbols("né")
    ['n', 'Ã', '©</w>']
    """
    symbols = [CHAR_OF_BYTE[byte] for byte in word.encode("utf-8")]
    symbols[-1] += END_OF_WORD
    return symbols


def merge_pair(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    """Join every occurrence of a pair of neighbours, from left to right.

    >>> merge_pair(["a", "a", "a", "b"], ("a", "a"))
    ['aa', 'a', 'b']
    """
    merged, i = [], 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            merged.append(pair[0] + pair[1])
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


def learn_merges(texts: list[str], num_merges: int) -> list[tuple[str, str]]:
    """Learn BPE merges: join the most frequent pair of neighbours, again and again.

    Pairs are counted inside words, each distinct word weighted by how often it occurs. Of equally
    frequent pairs the first in lexicographic order wins, so the result depends on the texts alone.
    Fewer than `num_merges` merges come back once no pair occurs twice.
    Source: Sennrich et al. 2016, Algorithm 1 (there `</w>` is a symbol of its own, here part of the
    last).

    >>> learn_merges(["low low lower"], 3)
    [('l', 'o'), ('lo', 'w</w>')]
    """
    words = (word for text in texts for word in split_words(text))
    word_counts = Counter(word for word in words if word not in (SOT, EOT))
    symbols = {word: to_symbols(word) for word in word_counts}
    pair_counts, words_with = Counter(), defaultdict(set)

    def count_pairs(word: str, sign: int) -> None:
        for pair in zip(symbols[word], symbols[word][1:]):
            pair_counts[pair] += sign * word_counts[word]
            words_with[pair].add(word)

    for word in word_counts:
        count_pairs(word, +1)
    merges = []
    while len(merges) < num_merges:
        highest = max(pair_counts.values(), default=0)
        if highest < 2:
            break
        best = min(pair for pair, count in pair_counts.items() if count == highest)
        merges.append(best)
        for word in words_with.pop(best):  # only their pairs change, so only they are counted anew
            count_pairs(word, -1)
            symbols[word] = merge_pair(symbols[word], best)
            count_pairs(word, +1)
    return merges


def save_merges(merges: list[tuple[str, str]], path: str | Path) -> None:
    """Write merges in OpenAI's format: a header, then one pair per line (gzipped if named .gz).

    The same merges give the same bytes (no time stamp), and a file is either whole or absent.
    """
    data = "\n".join(["# clip_min byte-pair merges", *map(" ".join, merges), ""]).encode("utf-8")
    write_whole(path, gzip.compress(data, mtime=0) if Path(path).suffix == ".gz" else data)


def read_merges(path: str | Path) -> list[tuple[str, str]]:
    """Read a file of merges (plain or .gz), at most as many as OpenAI's CLIP uses.

    A file named .json is Hugging Face's tokenizer.json.
    Raises ValueError naming the file if it is damaged, or a line does not hold exactly two symbols.
    """
    if Path(path).suffix == ".json":
        return merges_of_json(path)
    try:
        opened = gzip.open if Path(path).suffix == ".gz" else open
        with opened(path, "rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8")
    except (EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{printable(path)} is not a file of merges: {printable(error)}."
        ) from error
    lines = text.rstrip().split("\n")[1 : 1 + MAX_MERGES]  # the first line is a header
    merges = [tuple(line.split()) for line in lines]
    for number, merge in enumerate(merges, start=2):
        if len(merge) != 2:
            raise ValueError(
                f"Line {number} of {printable(path)} should hold two symbols and a space between."
            )
    return merges


def merges_of_json(path):
    """Hugging Face's tokenizer.json → its merges, "a b" or ["a", "b"] there.

    Raises ValueError if it is not that of a CLIP: its ids must follow from the merges, as here.
    """
    model = read_json(path).get("model")
    model = model if isinstance(model, dict) else {}
    merges = [pair.split() if isinstance(pair, str) else pair for pair in model.get("merges") or []]
    if all(isinstance(pair, list) and len(pair) == 2 for pair in merges):
        merges = [tuple(map(str, pair)) for pair in merges]
        if model.get("vocab") == {symbol: i for i, symbol in enumerate(symbols_of(merges))}:
            return merges
    raise ValueError(f"{path} does not number its words as CLIP's tokenizer does: put the merges "
                     "next to it, as merges.txt, if they are.")


def symbols_of(merges):
    """Merges → all symbols, in the order of their ids."""
    chars = list(CHAR_OF_BYTE.values())
    at_the_end = [char + END_OF_WORD for char in chars]
    return [*chars, *at_the_end, *(first + second for first, second in merges), SOT, EOT]


def find_openai_merges() -> Path | None:
    """Look for OpenAI's file of merges on this computer; None if it is not there.

    The places, in order: $CLIP_MIN_CACHE, ~/.cache/clip, an installed `clip` or `open_clip` package
    (located, not imported).
    """
    folders = [os.environ["CLIP_MIN_CACHE"]] if os.environ.get("CLIP_MIN_CACHE") else []
    folders.append(Path.home() / ".cache" / "clip")
    for package in ("clip", "open_clip"):
        spec = importlib.util.find_spec(package)
        folders += (spec and spec.submodule_search_locations) or []
    candidates = [Path(folder) / OPENAI_FILE for folder in folders]
    return next((path for path in candidates if path.is_file()), None)


def openai_merges() -> Path:
    """OpenAI's file of merges: found on this computer, otherwise downloaded (1.4 MB).

    Raises ValueError, in one sentence that says what to do, if the download fails.
    """
    return find_openai_merges() or fetch(OPENAI_URL, cache_folder() / OPENAI_FILE, OPENAI_SHA256)


class Tokenizer:
    """Turn texts into ids and back, with the merges of one file (Radford et al. 2021, Sec. 2.4).

    path_to_merges: without one, they are OpenAI's: their file is looked for, and downloaded if it
        is nowhere, when a text is first encoded or an id decoded.
    Attributes: `vocab_size`; `sot` and `eot`, the ids of [SOS] and [EOS]; `encoder`, symbol → id;
    `decoder`, id → symbol. As in OpenAI's code, "<|endoftext|>" inside a text becomes the id `eot`.
    Raises ValueError if the merges cannot be read, or are not OpenAI's number of them.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "merges.txt"
    >>> save_merges([("c", "a"), ("ca", "t</w>")], path)
    >>> tokenizer = Tokenizer(path)
    >>> tokenizer.encode("A cat"), tokenizer.decode([320, 513])
    ([320, 513], 'a cat ')
    >>> tokenizer(["a cat", "cat"], context_length=5)
    tensor([[514, 320, 513, 515,   0],
            [514, 513, 515,   0,   0]])
    """

    def __init__(self, path_to_merges: str | Path | None = None):
        self.path = path_to_merges
        self.vocab_size = OPENAI_VOCAB_SIZE if self.path is None else 512 + len(self.merges) + 2
        self.sot, self.eot = self.vocab_size - 2, self.vocab_size - 1
        self.cache = {SOT: [self.sot], EOT: [self.eot]}  # word -> ids; captions repeat their words

    @functools.cached_property
    def merges(self) -> list[tuple[str, str]]:
        """The merges, in the order in which they were learned."""
        if self.path is not None:
            return read_merges(self.path)
        path = openai_merges()
        merges = read_merges(path)
        if len(merges) != MAX_MERGES:
            raise ValueError(
                f"{printable(path)} holds {len(merges):,} merges, but OpenAI's CLIP has "
                f"{MAX_MERGES:,}: move it away."
            )
        return merges

    @functools.cached_property
    def decoder(self) -> dict[int, str]:
        """Id → symbol."""
        return dict(enumerate(symbols_of(self.merges)))

    @functools.cached_property
    def encoder(self) -> dict[str, int]:
        """Symbol → id."""
        return {symbol: i for i, symbol in self.decoder.items()}

    @functools.cached_property
    def rank(self) -> dict[tuple[str, str], int]:
        """Merge → its place in the order: a low rank was learned early."""
        return {pair: rank for rank, pair in enumerate(self.merges)}

    def digest(self) -> str:
        """→ 12 hexadecimal digits that change with the merges; "OpenAI" for OpenAI's own."""
        if self.path is None:
            return "OpenAI"
        return hashlib.sha256(repr(self.merges).encode()).hexdigest()[:12]

    def encode(self, text: str) -> list[int]:
        """Text → its ids, without [SOS], [EOS] and padding."""
        ids = []
        for word in split_words(text):
            if word not in self.cache:
                self.cache[word] = [self.encoder[symbol] for symbol in self.merge(word)]
            ids += self.cache[word]
        return ids

    def merge(self, word: str) -> list[str]:
        """Word → symbols: apply the earliest merge until none fits (Sennrich et al., Sec. 3.2)."""
        symbols = to_symbols(word)
        while len(symbols) > 1:
            pairs = zip(symbols, symbols[1:])
            best = min(pairs, key=lambda pair: self.rank.get(pair, len(self.rank)))
            if best not in self.rank:
                break
            symbols = merge_pair(symbols, best)
        return symbols

    def decode(self, ids: list[int]) -> str:
        """Ids → text: a space after each word, and U+FFFD where the bytes are no valid UTF-8."""
        symbols = [self.decoder[int(i)] for i in ids]
        data = bytes(BYTE_OF_CHAR[char] for symbol in symbols for char in symbol)
        return data.decode("utf-8", errors="replace").replace(END_OF_WORD, " ")

    def __call__(
        self, texts: str | list[str], context_length=77, truncate=False
    ) -> torch.LongTensor:
        """N texts → ids [N, context_length]: [SOS], the text, [EOS], then zeros.

        A single text gives N = 1. Raises ValueError if a text needs more than `context_length`
        ids; with `truncate` it is cut instead, and [EOS] stays its last id.
        """
        texts = [texts] if isinstance(texts, str) else texts
        tokens = torch.zeros(len(texts), context_length, dtype=torch.long)  # [N, L]
        for row, text in zip(tokens, texts):
            ids = [self.sot, *self.encode(text), self.eot]
            if len(ids) > context_length:
                if not truncate:
                    shown = text if len(text) <= 80 else text[:80] + "..."
                    raise ValueError(
                        f"The text {shown!r} has {len(ids)} tokens with its start and end, "
                        f"over the limit of {context_length}: "
                        "shorten it, or pass truncate=True to cut it."
                    )
                ids = [*ids[: context_length - 1], self.eot]
            row[: len(ids)] = torch.tensor(ids)
        return tokens
