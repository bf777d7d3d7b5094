"""Draws the pre-training curve: `python notes/curve.py notes/pretraining.jsonl notes/pretraining.svg`.

The log holds one JSON line per hundred steps, as `python -m clip_min.world.pretrain` writes it; the second
run's lines follow the first's. Loss is in nats, counted from guessing (0 = chance).
"""

import json
import sys
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 640, 300, 50  # pixels


def curve(lines):
    """Log lines → an SVG picture of the loss over the pairs seen, each run in a colour of its own."""
    runs, total = [], 0
    for line in lines:
        if not runs or line["step"] <= runs[-1][-1]["step"]:
            total += runs[-1][-1]["pairs"] if runs else 0
            runs.append([])
        runs[-1].append(line | {"all_pairs": total + line["pairs"]})
    most, lowest = runs[-1][-1]["all_pairs"], min(line["loss_below_chance"] for line in lines)
    bottom = int(lowest) - 1

    def x(pairs):
        return MARGIN + (WIDTH - 2 * MARGIN) * pairs / most

    def y(loss):
        return MARGIN / 2 + (HEIGHT - MARGIN) * loss / bottom

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT + 10}" font-family="sans-serif">']
    parts.append('<rect width="100%" height="100%" fill="white"/><g font-size="12" fill="#555">')
    for loss in range(0, bottom - 1, -1):
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y(loss)}" y2="{y(loss)}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 8}" y="{y(loss) + 4}" text-anchor="end">{loss}</text>')
    for pairs in range(0, most + 1, 250_000):
        parts.append(f'<text x="{x(pairs)}" y="{HEIGHT - 6}" text-anchor="middle">{pairs // 1000}k</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT + 8}" text-anchor="middle">picture–caption pairs seen</text></g>')
    for colour, run in zip(("#2a6fb0", "#d9772b", "#3a8f4a"), runs):
        points = " ".join(f"{x(line['all_pairs']):.1f},{y(line['loss_below_chance']):.1f}" for line in run)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    log, picture = map(Path, sys.argv[1:])
    picture.write_text(curve([json.loads(line) for line in log.read_text().splitlines()]), encoding="utf-8")
