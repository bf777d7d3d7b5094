"""What each exercise's check asks of the student's file, and how a wrong answer is put into words.

A check gets the student's file as a module and calls the functions of ../judge.py. What is right is
computed here by hand, by torch's own modules, by whole sequences (../plain_towers.py), or is in
tests/golden. The rule: a check tests values, gradients, at least two sizes of everything, a second
call, training and evaluation, and that the input stays as it was, with inputs on which the known
wrong answers differ. tests/golden/answers has wrong and right answers for each.

inputs.py         the CLIPs, names, pictures and figures that checks compare with
clip_text.py      CLIP's texts: tokenizer, mask, ensembles, [EOS]
clip_pictures.py  CLIP's pictures and logits: patches, cosine, mean and std
coop.py           CoOp: the splice, class-specific contexts
cocoop.py         CoCoOp: the Meta-Net, the tree and its mask
upt.py            UPT: visual prompts, variances
theta.py          UPT's theta: Eq. (5), which prompts mix, and how much
protocol.py       the schedule, samples, base and new, the harmonic mean
stale_results.py  the digest of the code that a result comes from
bugs.py           the hunts in coop.py, upt.py and cocoop.py
contest.py        the open exercise
"""

from notes.exercises.checks import (bugs, clip_pictures, clip_text, cocoop, contest, coop, protocol,
                                    stale_results, theta, upt)

CHECKS = {1: clip_text.merges, 2: clip_text.mask_of_a_text, 3: clip_pictures.patch_embedding,
          4: clip_pictures.cosine_and_temperature, 5: clip_text.ensembling, 6: coop.spliced_prompts,
          7: clip_text.eos_position, 8: coop.class_specific, 9: protocol.schedule,
          10: protocol.sampler, 11: cocoop.meta_net, 12: cocoop.tree, 13: upt.visual_prompts,
          14: theta.theta, 15: theta.mixing, 16: upt.variances, 17: protocol.base_and_new,
          18: protocol.harmonic, 19: bugs.not_a_cosine, 20: bugs.inexact_fast_path,
          21: bugs.only_in_company, 22: contest.beat_upt, 23: cocoop.ancestors,
          24: theta.influence_of_a_prompt, 25: clip_pictures.mean_and_std,
          26: stale_results.stale_result}
