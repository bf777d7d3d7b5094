"""What each exercise's check asks of the student's file, and how a wrong answer is put into words.

A check gets the student's file as a module and calls the functions of ../judge.py. What is right is
computed here by hand, by torch's own modules, by whole sequences (../plain_towers.py), or is in
tests/golden. The rule: a check tests values, gradients, at least two sizes of everything, a second
call, training and evaluation, and that the input stays as it was, with inputs on which the known
wrong answers differ. tests/reliability/test_exercises_*.py hold wrong and right answers for each.

clips.py      the CLIPs, names, pictures and figures that checks compare with
clip.py       CLIP: tokenizer, mask, patches, cosine, ensembles, [EOS], mean and std
coop.py       CoOp: the splice, class-specific contexts
cocoop.py     CoCoOp: the Meta-Net, the tree and its mask
upt.py        UPT: visual prompts, theta, what mixes, variances
protocol.py   the schedule, samples, base and new, the harmonic mean, stale results
bugs.py       the hunts in coop.py, upt.py and cocoop.py
contest.py    the open exercise
"""

from notes.exercises.checks import bugs, clip, cocoop, contest, coop, protocol, upt

CHECKS = {
    1: clip.merges,
    2: clip.mask_of_a_text,
    3: clip.patch_embedding,
    4: clip.cosine_and_temperature,
    5: clip.ensembling,
    6: coop.spliced_prompts,
    7: clip.eos_position,
    8: coop.class_specific,
    9: protocol.schedule,
    10: protocol.sampler,
    11: cocoop.meta_net,
    12: cocoop.tree,
    13: upt.visual_prompts,
    14: upt.theta,
    15: upt.mixing,
    16: upt.variances,
    17: protocol.base_and_new,
    18: protocol.harmonic,
    19: bugs.not_a_cosine,
    20: bugs.inexact_fast_path,
    21: bugs.only_in_company,
    22: contest.beat_upt,
    23: cocoop.ancestors,
    24: upt.influence_of_a_prompt,
    25: clip.mean_and_std,
    26: protocol.stale_result,
}
