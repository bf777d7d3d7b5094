"""Hand-written sentences around a class name, for teachers and ensembles.

Source: the 80 templates of CLIP's authors (github.com/openai/CLIP, notebooks), of which PromptSRC
(arXiv:2307.06948, App. A) takes 60. Here they stand by kind, not in their order: of what is made of
them, a mean, the order changes nothing.
"""

A_AND_THE = (  # for "_", there is one with "a" and one with "the"
    "a photo of _ {}.", "a bad photo of _ {}.", "a blurry photo of _ {}.",
    "a bright photo of _ {}.", "a close-up photo of _ {}.", "a cropped photo of _ {}.",
    "a low resolution photo of _ {}.", "a pixelated photo of _ {}.", "a photo of _ clean {}.",
    "a photo of _ dirty {}.", "a photo of _ hard to see {}.", "a doodle of _ {}.",
    "a painting of _ {}.", "a rendering of _ {}.", "a rendition of _ {}.", "a sculpture of _ {}.",
    "a sketch of _ {}.", "_ embroidered {}.", "_ origami {}.", "_ plastic {}.",
    "_ {} in a video game.",
)
ONE_OF_ITS_KIND = (
    "a jpeg corrupted photo of a {}.", "a photo of a large {}.", "a photo of a nice {}.",
    "a photo of a weird {}.", "a black and white photo of the {}.", "a dark photo of the {}.",
    "a good photo of the {}.", "a photo of the cool {}.", "a photo of many {}.",
    "a photo of my {}.", "a photo of one {}.", "a drawing of a {}.", "a tattoo of a {}.",
    "art of a {}.", "graffiti of a {}.", "itap of the {}.", "a cartoon {}.", "the toy {}.",
)
SIXTY = (
    *[template.replace("_", "a", 1) for template in A_AND_THE],
    *[template.replace("_", "the", 1) for template in A_AND_THE],
    *ONE_OF_ITS_KIND,
)
