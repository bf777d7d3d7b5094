"""CLIP's modified ResNet: the image tower of RN50, RN101, RN50x4, RN50x16 and RN50x64.

He et al., "Deep Residual Learning", arXiv:1512.03385, with the three changes of CLIP
(arXiv:2103.00020, Sec. 2.4): a stem of three convolutions; average pooling before a strided
convolution, which thereby loses no pixel; and, at the top, one attention layer in place of
global average pooling.
"""

import torch
import torch.nn.functional as F
from torch import nn

EXPANSION = 4  # a bottleneck's output has this many times the channels of its middle


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions with a shortcut; average pooling does the shrinking."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, EXPANSION * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(EXPANSION * width)
        self.downsample = None
        if stride > 1 or channels != EXPANSION * width:
            convolution = nn.Conv2d(channels, EXPANSION * width, 1, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(EXPANSION * width))

    def forward(self, x):
        """x [B, C, h, w] → [B, EXPANSION · width, h / stride, w / stride]."""
        shortcut = x
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(F.avg_pool2d(x, self.stride)))
        if self.downsample is not None:
            shortcut = self.downsample(F.avg_pool2d(shortcut, self.stride))
        return F.relu(x + shortcut)


class AttentionPool(nn.Module):
    """Multi-head attention in which only the mean of all positions asks (CLIP, Sec. 2.4)."""

    def __init__(self, positions, width, embed_dim):
        super().__init__()
        self.heads = width // 64
        self.positional_embedding = nn.Parameter(torch.empty(1 + positions, width))
        self.k_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, embed_dim)

    def forward(self, x):
        """x [B, D, h, w] → [B, E]."""
        x = x.flatten(2).transpose(1, 2)  # [B, h·w, D]
        mean = x.mean(dim=1, keepdim=True)  # [B, 1, D]
        x = torch.cat([mean, x], dim=1) + self.positional_embedding  # [B, 1+h·w, D]
        q, k, v = self.q_proj(x[:, :1]), self.k_proj(x), self.v_proj(x)
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in (q, k, v))
        x = F.scaled_dot_product_attention(q, k, v)  # [B, H, 1, D/H]
        return self.c_proj(x.flatten(1))


class ModifiedResNet(nn.Module):
    """The image tower: `embed → blocks → pool` is stem, four stages, attention pooling."""

    def __init__(self, image_size, layers, width, embed_dim):
        """layers: bottlenecks in each of the four stages. width: channels after the stem."""
        super().__init__()
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.layer1 = stage(width, width, layers[0], stride=1)
        self.layer2 = stage(4 * width, 2 * width, layers[1], stride=2)
        self.layer3 = stage(8 * width, 4 * width, layers[2], stride=2)
        self.layer4 = stage(16 * width, 8 * width, layers[3], stride=2)
        self.attnpool = AttentionPool((image_size // 32) ** 2, 32 * width, embed_dim)

    def embed(self, images):
        """images [B, 3, H, W] → [B, width, H/4, W/4]."""
        x = F.relu(self.bn1(self.conv1(images)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x)))
        return F.avg_pool2d(x, 2)

    def forward(self, images):
        """images [B, 3, H, W] → image features [B, E]."""
        x = self.embed(images)
        for blocks in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = blocks(x)  # [B, 4 · width · 2^i, H / 4 / 2^i, W / 4 / 2^i] for i = 0, 1, 2, 3
        return self.attnpool(x)


def stage(channels, width, count, stride):
    """`count` bottlenecks; only the first one changes the channels and the resolution."""
    first = Bottleneck(channels, width, stride)
    others = [Bottleneck(EXPANSION * width, width, stride=1) for _ in range(count - 1)]
    return nn.Sequential(first, *others)
