"""The paper's network."""

from torch import nn

from transferability.networks.architecture import Architecture, CrossChannelNormalization, bias_of, named_layers, relu

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
# Also in the authors' files; Krizhevsky et al. (2012) give the reason: ReLUs get positive inputs from the start.
CAFFENET_BIAS_ONE = ("conv2", "conv4", "conv5", "fc6", "fc7")


def caffenet(image_shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """The network of Yosinski et al., Caffe's reference network: its 1000-class form sees 227 x 227 x 3 pixels.

    Taken layer by layer from the authors' imagenet_train.prototxt. Pooling sizes round up, as in Caffe. Other image
    sizes change only fc6's input.
    """
    height, width, channels = image_shape
    features = 256 * _caffenet_pooled(height) * _caffenet_pooled(width)
    return named_layers(
        LAYERS,
        nn.Sequential(nn.Conv2d(channels, 96, 11, stride=4), _caffe_pool(), relu(), CrossChannelNormalization(96)),
        nn.Sequential(
            nn.Conv2d(96, 256, 5, padding=2, groups=2), _caffe_pool(), relu(), CrossChannelNormalization(256)
        ),
        nn.Sequential(nn.Conv2d(256, 384, 3, padding=1), relu()),
        nn.Sequential(nn.Conv2d(384, 384, 3, padding=1, groups=2), relu()),
        nn.Sequential(nn.Conv2d(384, 256, 3, padding=1, groups=2), _caffe_pool(), relu()),
        nn.Sequential(nn.Flatten(), nn.Linear(features, 4096), relu()),
        nn.Sequential(nn.Dropout(0.5), nn.Linear(4096, 4096), relu()),
        nn.Sequential(nn.Dropout(0.5), nn.Linear(4096, classes)),
    )


def caffe_gaussian(layer_name: str, layer: nn.Module) -> None:
    """The authors' fillers: Gaussian weights, biases 0, or 1 where Caffe's reference network has that."""
    for module in layer.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.005 if layer_name in ("fc6", "fc7") else 0.01)
            nn.init.constant_(bias_of(module), 1.0 if layer_name in CAFFENET_BIAS_ONE else 0.0)


def _caffe_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _caffenet_pooled(side: int) -> int:
    """Side of the features that conv5 passes to fc6 for images of this side: 6 for 227."""
    side = (side - 11) // 4 + 1
    for _ in range(3):
        side = -(-(side - 3) // 2) + 1
    return side


ARCHITECTURE = Architecture(caffenet, caffe_gaussian, smallest_side=67)
