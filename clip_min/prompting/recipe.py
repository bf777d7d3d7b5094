"""How a method is trained: the numbers of a paper's "training details" in one small dataclass."""

import dataclasses
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recipe:
    """The settings of one training run: SGD, a cosine learning rate, random crops.

    lr: learning rate after the first epoch. epochs: passes over the training pictures; in a
    method's file, {number of shots: passes}. imagenet_epochs: the passes on ImageNet, where they
    differ. crop_scale: smallest and largest share of a picture that a random crop keeps. flip:
    whether half of the crops are mirrored. max_norm: longer gradients are shortened to this
    length; None: never. options: the method's own. by_protocol: what differs in some protocols,
    {protocol: {field: value}}. views: if the image tower is frozen, random crops of each picture
    that are computed once and used in turn; 0: fresh ones in every epoch. precision: of matrix
    products, "fp32", "bf16" or "fp16".
    """

    lr: float
    epochs: int | dict
    batch_size: int
    crop_scale: tuple = (0.08, 1.0)
    flip: bool = True
    max_norm: float | None = None
    options: dict = field(default_factory=dict)
    by_protocol: dict = field(default_factory=dict)
    imagenet_epochs: int | None = None
    views: int = 16
    precision: str = "fp32"

    def epochs_for(self, dataset, shots):
        """Name of a data set, shots → epochs: those of the next number of shots that is listed.

        >>> Recipe(0.002, {1: 50, 4: 100, 16: 200}, 32).epochs_for("eurosat", 2)
        100
        """
        if isinstance(self.epochs, int):
            return self.epochs
        if dataset == "imagenet" and self.imagenet_epochs:
            return self.imagenet_epochs
        larger = [listed for listed in self.epochs if listed >= shots]
        return self.epochs[min(larger) if larger else max(self.epochs)]

    def in_protocol(self, protocol):
        """A protocol's name → the recipe there.

        >>> recipe = Recipe(0.002, 50, 32, by_protocol={"few-shot": dict(lr=0.01)})
        >>> recipe.in_protocol("few-shot").lr
        0.01
        """
        return self.with_changes(**self.by_protocol.get(protocol, {}), by_protocol={})

    def setting(self):
        """→ what identifies a run that is trained so, as plain values."""
        values = dict(lr=self.lr, epochs=self.epochs, batch_size=self.batch_size)
        values.update(crop_scale=list(self.crop_scale), flip=self.flip, max_norm=self.max_norm)
        return dict(values, views=self.views)

    def with_changes(self, **changes):
        """The same recipe with other values for these fields.

        >>> Recipe(0.002, 50, 32).with_changes(lr=0.01).lr
        0.01
        """
        return dataclasses.replace(self, **changes)
