"""How a method is trained: the numbers of a paper's "training details" in one small dataclass."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recipe:
    """The settings of one training run: SGD, a cosine learning rate, random crops.

    lr: learning rate after the first epoch. epochs: passes over the training pictures for each number of shots.
    imagenet_epochs: the same on ImageNet, where it differs. crop_scale: smallest and largest share of a picture
    that a random crop keeps. flip: whether half of the crops are mirrored. max_norm: gradients longer than this
    are shortened to it; None: never. options: the method's own options.
    """

    lr: float
    epochs: dict
    batch_size: int
    crop_scale: tuple = (0.08, 1.0)
    flip: bool = True
    max_norm: float | None = None
    options: dict = field(default_factory=dict)
    imagenet_epochs: int | None = None

    def epochs_for(self, dataset, shots):
        """Name of a data set, pictures per class → epochs: those of the next number of shots that is listed.

        >>> Recipe(0.002, {1: 50, 4: 100, 16: 200}, 32).epochs_for("eurosat", 2)
        100
        """
        if dataset == "imagenet" and self.imagenet_epochs:
            return self.imagenet_epochs
        larger = [listed for listed in self.epochs if listed >= shots]
        return self.epochs[min(larger) if larger else max(self.epochs)]
