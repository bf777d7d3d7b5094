"""Sixteen actions of one stick figure: a table of joint angles and props, and one function.

Angles are in degrees, 0 = straight down, positive = forwards (the figure faces right before
it is mirrored at random); 180 = straight up.
"""

import math
from typing import NamedTuple

from clip_min.world.canvas import at, jitter, mix, part, shade, width

WOOD, STEEL, WATER, LEATHER = (150, 100, 56), (116, 120, 128), (70, 150, 214), (230, 120, 44)
TORSO, UPPER_ARM, FOREARM, THIGH, SHIN = 0.29, 0.17, 0.17, 0.22, 0.22  # lengths in the unit square
HEAD = 0.095  # radius


class Pose(NamedTuple):
    """hip: unit-square point; lean: the torso's angle from upright; limbs: (upper, lower)."""

    hip: tuple
    lean: float
    near_arm: tuple
    far_arm: tuple
    near_leg: tuple
    far_leg: tuple
    props: tuple = ()  # (kind, corners...) drawn behind the figure, in unit-square points


POSES = {
    "walking": Pose((0.5, 0.56), 3, (30, 45), (-25, -10), (-24, -30), (24, 14)),
    "running": Pose((0.46, 0.56), 20, (70, 150), (-60, 30), (-30, -100), (75, 5)),
    "skating": Pose((0.45, 0.55), 38, (-75, -80), (70, 85), (35, -5), (-55, -62),
                    (("line", STEEL, (0.0, 0.985), (1.0, 0.985)),
                     ("line", STEEL, (0.42, 0.975), (0.72, 0.975)),
                     ("line", STEEL, (0.0, 0.86), (0.16, 0.72)))),
    "kicking": Pose((0.42, 0.55), -16, (-70, -50), (70, 95), (80, 86), (-6, -10),
                    (("ball", LEATHER, (0.91, 0.62), 0.085),)),
    "boxing": Pose((0.42, 0.56), 8, (92, 92), (50, 140), (-30, -24), (32, 8),
                   (("bag", LEATHER, (0.79, 0.1), (0.98, 0.62)),
                    ("line", STEEL, (0.885, 0.0), (0.885, 0.12)))),
    "throwing": Pose((0.48, 0.56), -12, (-105, -150), (75, 90), (-32, -20), (36, 16),
                     (("ball", LEATHER, (0.13, 0.08), 0.1),)),
    "waving": Pose((0.46, 0.57), 0, (98, 152), (-52, -20), (-18, -10), (18, 10)),
    "dancing": Pose((0.5, 0.57), -10, (100, 165), (-95, -20), (78, -35), (-12, -6)),
    "jumping": Pose((0.5, 0.54), 0, (122, 150), (-122, -150), (60, -25), (-60, 25),
                    (("shadow", STEEL, (0.25, 0.93), (0.75, 1.0)),)),
    "climbing": Pose((0.44, 0.58), 6, (150, 140), (95, 120), (75, -10), (10, 20),
                     (("ladder", WOOD, (0.58, 0.0), (0.9, 1.0)),)),
    "lifting": Pose((0.5, 0.6), 0, (120, 174), (-120, -174), (28, -4), (-28, 4),
                    (("bar", STEEL, (0.02, 0.08), (0.98, 0.08)),)),
    "bowing": Pose((0.32, 0.56), 58, (18, 14), (0, 0), (-6, -4), (8, 6)),
    "kneeling": Pose((0.42, 0.68), 2, (35, 75), (20, 70), (-8, -88), (82, 2)),
    "sitting": Pose((0.4, 0.6), -2, (25, 80), (20, 70), (88, 4), (84, 0),
                    (("line", WOOD, (0.24, 0.3), (0.24, 1.0)),
                     ("line", WOOD, (0.24, 0.69), (0.56, 0.69)),
                     ("line", WOOD, (0.55, 0.69), (0.55, 1.0)))),
    "rowing": Pose((0.42, 0.66), -8, (60, 85), (50, 75), (75, 75), (75, 75)),
    "swimming": Pose((0.44, 0.58), 84, (195, 122), (50, -70), (-98, -78), (-72, -84)),
}
NAMES = tuple(POSES)


def limb(start, lengths, angles):
    """The three joints of a limb from its root: unit-square points."""
    joints = [start]
    for length, degrees in zip(lengths, angles):
        x, y = joints[-1]
        turn = math.radians(degrees)
        joints.append((x + length * math.sin(turn), y + length * math.cos(turn)))
    return joints


def paint(draw, box, name, colour, rng):
    """One figure in action: props, darker far limbs, torso, head, near limbs, boat and water."""
    pose = POSES[name]
    colour = jitter(colour, rng, 12)
    dark = shade(colour, 0.72) if sum(colour) >= 200 else mix(colour, (255, 255, 255), 0.2)
    box = part(box, 0.04, 0.04, 0.96, 0.96)  # room for the thickness of the limbs
    mirror, size = rng.random() < 0.5, rng.uniform(0.92, 1.02)
    thick, thin = width(box, 0.09 * rng.uniform(0.92, 1.12), 3), width(box, 0.045)

    def place(*points):
        return at(box, *((1 - x if mirror else x, y) for x, y in points))

    def stroke(points, fill, line):
        points = place(*points)
        draw.line(points, fill=fill, width=line, joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - line / 2, y - line / 2, x + line / 2, y + line / 2), fill=fill)

    def disc(centre, radius, fill):
        [(x, y)] = place(centre)
        across, down = radius * (box[2] - box[0]), radius * (box[3] - box[1])
        draw.ellipse((x - across, y - down, x + across, y + down), fill=fill)

    def corners(first, second):
        (x0, y0), (x1, y1) = place(first, second)
        return (min(x0, x1), y0, max(x0, x1), y1)

    for kind, paint_colour, first, second in pose.props:
        if kind == "line":
            draw.line(place(first, second), fill=paint_colour, width=thin)
        elif kind == "ball":
            disc(first, second, paint_colour)
        elif kind == "bag":
            draw.rounded_rectangle(corners(first, second), radius=thin * 1.5, fill=paint_colour)
        elif kind == "shadow":
            draw.ellipse(corners(first, second), fill=paint_colour)
        elif kind == "bar":
            draw.line(place(first, second), fill=paint_colour, width=thin)
            for x, reach in ((0.04, 0.07), (0.12, 0.12), (0.88, 0.12), (0.96, 0.07)):
                ends = place((x, first[1] - 0.6 * reach), (x, first[1] + reach))
                draw.line(ends, fill=paint_colour, width=thin + 1)
        elif kind == "ladder":
            (x0, y0), (x1, y1) = first, second
            for x in (x0, x1):
                draw.line(place((x, y0), (x, y1)), fill=paint_colour, width=thin)
            for rung in (0.1, 0.3, 0.5, 0.7, 0.9):
                draw.line(place((x0, rung), (x1, rung)), fill=paint_colour, width=thin)

    def turned(angles):
        return [angle + rng.uniform(-7, 7) for angle in angles]

    lean = math.radians(pose.lean + rng.uniform(-4, 4))
    hip = pose.hip
    along = (math.sin(lean), -math.cos(lean))
    shoulder = (hip[0] + TORSO * size * along[0], hip[1] + TORSO * size * along[1])
    head = (shoulder[0] + (HEAD + 0.03) * along[0], shoulder[1] + (HEAD + 0.03) * along[1])
    arm, leg = (UPPER_ARM * size, FOREARM * size), (THIGH * size, SHIN * size)
    stroke(limb(shoulder, arm, turned(pose.far_arm)), dark, thick)
    stroke(limb(hip, leg, turned(pose.far_leg)), dark, thick)
    stroke((hip, shoulder), colour, round(thick * 1.4))
    disc(head, HEAD * rng.uniform(0.95, 1.1), colour)
    stroke(limb(hip, leg, turned(pose.near_leg)), colour, thick)
    near_arm = limb(shoulder, arm, turned(pose.near_arm))
    stroke(near_arm, colour, thick)

    if name == "rowing":
        x, y = near_arm[-1]  # the hand, at the oar
        draw.line(place((x - 0.1, y - 0.1), (0.96, 0.97)), fill=STEEL, width=thin)
        draw.polygon(place((0.02, 0.7), (0.98, 0.7), (0.84, 0.9), (0.16, 0.9)), fill=dark)
    if name in ("rowing", "swimming"):
        top = 0.86 if name == "rowing" else 0.62
        crests = [(i / 8, top + (0.04 if i % 2 else 0.0)) for i in range(9)]
        draw.polygon(place(*crests, (1, top + 0.16), (0, top + 0.16)), fill=WATER)
