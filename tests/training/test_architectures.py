"""Networks against published sizes, and stacked networks against the same ones one by one."""

from importlib import import_module
from math import prod
from pathlib import Path

import pytest
import torch
from torch.func import functional_call, grad, stack_module_state, vmap

from miatlas.options import constant, declared
from miatlas.training import architectures
from miatlas.training.architectures import fast_resnet
from miatlas.training.architectures.base import Mean, PooledConvolution

FOLDER = Path(architectures.__file__).parent
EVERY = sorted(
    path
    for path in FOLDER.glob("[!_]*.py")
    if path.stem != "base" and constant(path, "KIND", "network") == "network"
)
NAMES = [path.stem for path in EVERY if constant(path, "INPUTS") != "text"]  # those of images
DEEP = ["densenet121", "mobilenet_v2", "resnet", "vgg16", "vgg16_dense"]
STACKABLE = [p.stem for p in EVERY if constant(p, "STACKABLE")]  # all but those that draw
deep_ones_slowly = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in DEEP)) for n in NAMES]
)
# Small members of each family, so that a test takes seconds.
SMALL = {
    "mlp": {"widths": [16, 8], "activation": "tanh"},
    "cnn": {"filters": 4},
    "wide_resnet": {"depth": 10, "width": 1},
    "two_layer_cnn": {"first": 4, "second": 6},
    "fast_resnet": {"widths": [24, 8, 16]},
    "vgg16_dense": {"dense": 16},
}
SMALLEST = {
    "alexnet": 29, "cnn": 8, "densenet121": 8, "fast_resnet": 16, "mlp": 1, "mobilenet_v2": 8,
    "resnet": 8, "smallnet": 8, "two_layer_cnn": 10, "vgg16": 32, "vgg16_dense": 32, "vgg3": 8,
    "wide_resnet": 4,
}  # fmt: skip


def build(name, shape=(3, 32, 32), classes=10, seed=0, **options):
    torch.manual_seed(seed)
    return import_module(f"miatlas.training.architectures.{name}").build(shape, classes, **options)


def count(name, shape=(3, 32, 32), classes=10, **options):
    with torch.device("meta"):
        network = build(name, shape, classes, **options)
    return sum(weights.numel() for weights in network.parameters())


@pytest.mark.parametrize(
    ("name", "shape", "classes", "options", "published"),
    [
        # shi2024's and ye2022's perceptrons, by hand.
        ("mlp", (108,), 2, {}, 108 * 128 + 128 + 128 * 2 + 2),
        ("mlp", (600,), 100, {"widths": [512, 256, 128, 64]}, 486_692),
        ("mlp", (1, 8, 8), 10, {"widths": []}, 650),
        # Keras' MNIST example.
        ("two_layer_cnn", (1, 28, 28), 10, {}, 34_826),
        # The usual three-block VGG as its tutorials print it.
        ("vgg3", (3, 32, 32), 10, {}, 550_570),
        # By hand, from the layer sizes.
        ("smallnet", (3, 32, 32), 100, {}, 896 + 18_496 + 36_928 + 73_856 + 12_900),
        ("cnn", (3, 32, 32), 10, {"filters": 16}, 448 + 4640 + 18_496 + 64 * 16 * 10 + 10),
        ("cnn", (1, 8, 8), 10, {"filters": 16}, 160 + 4640 + 18_496 + 64 * 10 + 10),
        (
            "cnn", (3, 32, 32), 10, {"filters": 32, "layout": "carlini2022"},
            896 + 9248 + 18_496 + 36_928 + 73_856 + 147_584 + 295_168 + 2570,
        ),
        # Sizes that public implementations for CIFAR-10 report.
        ("resnet", (3, 32, 32), 10, {"depth": 18}, 11_173_962),
        ("resnet", (3, 32, 32), 10, {"depth": 34}, 21_282_122),
        # torchvision's 25,557,032, with 10 classes and the other stem; of MobileNet-v2 3,504,872.
        ("resnet", (3, 32, 32), 10, {"depth": 50}, 25_557_032 - 2_049_000 - 9_408 + 1_728 + 20_490),
        ("mobilenet_v2", (3, 32, 32), 10, {}, 3_504_872 - 1_281_000 + 12_810),
        ("vgg16", (3, 32, 32), 10, {}, 14_728_266),
        ("vgg16", (3, 32, 32), 10, {"batch_norm": False}, 14_728_266 - 2 * 4224),
        ("densenet121", (3, 32, 32), 10, {}, 6_956_298 + 128),  # torchvision normalises the stem
        ("wide_resnet", (3, 32, 32), 10, {"width": 2}, 1_467_610),
        # By hand: 24 biases of the first layer, convolutions, two norms (biases only) a stage, head
        (
            "fast_resnet", (3, 32, 32), 10, {},
            24 + 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) + 2 * (64 + 2 * 256) + 2570,
        ),
        ("wide_resnet", (3, 32, 32), 10, {"width": 10}, 36_479_194),
    ],
)  # fmt: skip
def test_number_of_weights(name, shape, classes, options, published):
    assert count(name, shape, classes, **options) == published


def test_networks_for_imagenet_are_torchvisions():
    """What shi2024's released code builds: weights have the shapes of torchvision's, in order."""
    from torchvision import models  # other tests use this file's networks where there is none

    with torch.device("meta"):
        pairs = [
            (build("vgg16_dense"), models.vgg16(num_classes=10)),
            (
                build("densenet121", classes=100, stem="imagenet"),
                models.densenet121(num_classes=100),
            ),
        ]
    for own, published in pairs:
        shapes = [[w.shape for w in net.parameters()] for net in (own, published)]
        assert shapes[0] == shapes[1]


@pytest.mark.slow
def test_networks_for_imagenet_answer_as_torchvisions():
    from torchvision import models
    from torchvision.transforms import functional

    for own, published, size in (
        (build("vgg16_dense"), models.vgg16(num_classes=10), 32),
        (build("densenet121", stem="imagenet", resize=64), models.densenet121(num_classes=10), 64),
    ):
        weights = zip(own.state_dict(), published.state_dict().values(), strict=True)
        own.load_state_dict(dict(weights))
        x = torch.randn(2, 3, 32, 32)
        larger = functional.resize(x, [size, size], antialias=True)
        with torch.no_grad():
            expected = published.eval()(larger)
            torch.testing.assert_close(own.eval()(x), expected, rtol=1e-4, atol=1e-4)


def test_a_stack_sees_resized_images_as_single_networks_do():
    """smallnet on 8x8 images is smallnet on the same ones made larger beforehand."""
    from torchvision.transforms import functional

    networks = [build("smallnet", (3, 8, 8), seed=k, resize=24) for k in range(2)]
    x = torch.randn(2, 3, 8, 8)
    larger = functional.resize(x, [24, 24], antialias=True)
    plain = build("smallnet", (3, 24, 24))
    weights = zip(plain.state_dict(), networks[0].state_dict().values(), strict=True)
    plain.load_state_dict(dict(weights))
    torch.testing.assert_close(networks[0](x), plain(larger), rtol=1e-4, atol=1e-5)
    parameters, buffers = stack_module_state(networks)
    stacked = vmap(lambda p, b: functional_call(networks[0], (p, b), (x,)))(parameters, buffers)
    for k, network in enumerate(networks):
        torch.testing.assert_close(stacked[k], network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("depth", "width", "millions"),
    [(40, 1, 0.6), (40, 2, 2.2), (40, 4, 8.9), (40, 8, 35.7), (28, 10, 36.5), (28, 12, 52.5),
     (22, 8, 17.2), (22, 10, 26.8), (16, 8, 11.0), (16, 10, 17.1)],
)  # fmt: skip
def test_wide_resnets_have_the_published_sizes(depth, width, millions):
    # Zagoruyko & Komodakis 2016, Table 4.
    assert count("wide_resnet", depth=depth, width=width) / 1e6 == pytest.approx(
        millions, abs=0.051
    )


def test_alexnet_has_the_usual_size():
    assert count("alexnet") / 1e6 == pytest.approx(2.47, abs=0.005)


@deep_ones_slowly
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 28, 28), (3, 32, 32), (1, 32, 32)])
def test_shapes_and_head(name, shape):
    options = SMALL.get(name, {})
    if shape[1] < SMALLEST[name]:
        with pytest.raises(ValueError, match=rf"{name}.*{shape[1]}x{shape[2]}"):
            build(name, shape, **options)
        return
    network = build(name, shape, 7, **options).eval()
    x = torch.randn(2, *shape)
    with torch.no_grad():
        features, logits = network.features(x), network(x)
    assert logits.shape == (2, 7)
    assert features.ndim == 2
    assert len(features) == 2
    by_hand = features @ network.head.weight.T + network.head.bias
    torch.testing.assert_close(logits, by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mlp"])
def test_feature_vectors_and_the_smallest_image(name):
    with pytest.raises(ValueError, match=rf"{name}.*\(30,\)"):
        build(name, (30,))
    side = SMALLEST[name]
    options = SMALL.get(name, {})
    assert build(name, (1, side, side + 1), 3, **options).eval()(
        torch.zeros(1, 1, side, side + 1)
    ).shape == (1, 3)
    with pytest.raises(ValueError, match=rf"{name}.*{side + 1}x{side - 1}"):
        build(name, (1, side + 1, side - 1), **options)


def test_same_padding_lets_the_two_layer_cnn_read_digits():
    network = build("two_layer_cnn", (1, 8, 8), padding="same")
    assert network.features(torch.zeros(3, 1, 8, 8)).shape == (3, 64 * 2 * 2)


@pytest.mark.parametrize("depth", [4, 20, 27])
def test_impossible_depth(depth):
    with pytest.raises(ValueError, match=f"wide_resnet.*{depth}"):
        build("wide_resnet", depth=depth)


@pytest.mark.parametrize(
    ("name", "map_size"),
    [("resnet", (512, 4, 4)), ("mobilenet_v2", (1280, 4, 4)),
     ("densenet121", (1024, 4, 4)), ("vgg16", (512, 1, 1)),
     ("wide_resnet", (64, 8, 8)), ("smallnet", (128, 4, 4))],
)  # fmt: skip
def test_last_map_before_the_mean_over_positions(name, map_size):
    network = build(name, **SMALL.get(name, {})).eval()
    seen = []
    for module in network.modules():
        if isinstance(module, (Mean, torch.nn.AdaptiveAvgPool2d)):
            module.register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    features = network.features(torch.randn(1, 3, 32, 32))
    (before, _after), *others = seen
    assert not others
    assert before.shape[1:] == map_size
    torch.testing.assert_close(features, before.mean((2, 3)))
    if name != "vgg16":  # that ends in a pooling of activated maps
        assert before.min() >= 0


def test_wide_resnet_is_the_written_out_network():
    """WRN-10-2 by hand: pre-activation, the shortcut from the activated input, stride in conv1."""
    network = build("wide_resnet", depth=10, width=2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # make the norms do something
            for tensor in (module.weight, module.bias, module.running_mean):
                torch.nn.init.normal_(tensor)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    network.eval()
    weights = {key.removeprefix("body."): w for key, w in network.state_dict().items()}

    def activated(x, key):
        mean, var = weights[f"{key}.running_mean"], weights[f"{key}.running_var"]
        scale = weights[f"{key}.weight"] / (var + 1e-5).sqrt()
        centred = (x - mean[:, None, None]) * scale[:, None, None]
        return (centred + weights[f"{key}.bias"][:, None, None]).clamp(min=0)

    def convolved(x, key, **options):
        return torch.nn.functional.conv2d(x, weights[f"{key}.weight"], **options)

    x = torch.randn(2, 3, 16, 16)
    y = convolved(x, "0", padding=1)
    for block, stride in ((1, 1), (2, 2), (3, 2)):
        active = activated(y, f"{block}.norm1")
        inner = convolved(active, f"{block}.conv1", padding=1, stride=stride)
        inner = convolved(activated(inner, f"{block}.norm2"), f"{block}.conv2", padding=1)
        y = inner + convolved(active, f"{block}.project", stride=stride)
    features = activated(y, "4").mean((2, 3))
    torch.testing.assert_close(network.features(x), features, rtol=1e-4, atol=1e-4)


def images(n=300, colours=3, side=16):
    """Return images whose colours and neighbouring pixels go together, as photographs' do."""
    fine = torch.randn(n, colours, side, side, generator=torch.Generator().manual_seed(0))
    rough = torch.nn.functional.avg_pool2d(fine, 3, 1, 1)
    return 3 * rough + rough.mean(1, keepdim=True) + 0.1 * fine


def test_one_model_whitens_by_a_product_what_a_stack_does_by_a_convolution():
    first = build("fast_resnet").body[0]
    first.weight.normal_()
    torch.nn.init.normal_(first.bias)
    x = torch.randn(2, 3, 18, 20)
    expected = torch.nn.functional.conv2d(x, first.weight, first.bias)
    torch.testing.assert_close(first(x), expected)
    stacked = vmap(lambda w, b: functional_call(first, {"weight": w, "bias": b}, (x,)))
    both = stacked(torch.stack([first.weight] * 2), torch.stack([first.bias] * 2))
    torch.testing.assert_close(both, torch.stack([expected] * 2))


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_norms_of_fast_train_their_biases_and_not_their_scales(norm):
    network = fast_resnet.build((3, 32, 32), 10, norm=norm)
    trained, kept = dict(network.named_parameters()), dict(network.named_buffers())
    names = [f"body.{stage}.norm{n}" for stage in (2, 3, 4) for n in (1, 2)]
    for name in names:
        assert f"{name}.bias" in trained
        assert f"{name}.weight" not in trained
        assert (kept[f"{name}.weight"] == 1).all()


@pytest.mark.parametrize("colours", [1, 3])
def test_first_filters_whiten_patches(colours):
    x, size = images(colours=colours), 4 * colours
    weight = fast_resnet.from_sample(x)["body.0.weight"]
    assert weight.shape == (2 * size, colours, 2, 2)
    assert torch.equal(weight[size:], -weight[:size])
    answers = torch.nn.functional.conv2d(x, weight[:size]).transpose(0, 1).flatten(1).double()
    moments = answers @ answers.T / answers.shape[1]
    patches = [x[:, :, i : i + 15, j : j + 15] for i in range(2) for j in range(2)]
    plain = torch.stack(patches, 2).permute(0, 3, 4, 1, 2).reshape(-1, size).double()
    values = torch.linalg.eigvalsh(plain.T @ plain / len(plain))
    expected = torch.diag(values / (values + fast_resnet.EPSILON))
    torch.testing.assert_close(moments, expected, rtol=0, atol=1e-4)
    assert values.max() > 10 * values.min()  # or there was nothing to whiten


def test_first_filters_hardly_depend_on_rounding():
    x = images()
    first = fast_resnet.from_sample(x)["body.0.weight"]
    again = fast_resnet.from_sample(x.flip(0))["body.0.weight"]  # other sums, the same patches
    torch.testing.assert_close(again, first, rtol=1e-5, atol=1e-6)


def test_a_stage_begins_with_what_it_is_given():
    stage = build("fast_resnet").body[2]
    x = torch.randn(2, 24, 8, 8)
    pooled = torch.nn.functional.max_pool2d(x, 2)
    assert torch.equal(stage.conv1(x)[:, :24], pooled)
    assert not torch.equal(stage.conv1(x)[:, 24:48], pooled)


def pooled_and_usual():
    """Return a pooled convolution with a ReLU, and the same weights as one usually writes it."""
    pooled = PooledConvolution(3, 5, 3, padding=1)
    usual = torch.nn.Conv2d(3, 5, 3, padding=1)
    usual.load_state_dict(pooled.state_dict())
    return (
        torch.nn.Sequential(pooled, torch.nn.ReLU()),
        torch.nn.Sequential(usual, torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
    )


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 3, 9, 7)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pooled_convolution_is_convolution_relu_and_pooling(shape, layout):
    torch.manual_seed(0)
    x, results = torch.randn(shape).contiguous(memory_format=layout), []
    for layers in pooled_and_usual():
        leaf = x.clone(memory_format=layout).requires_grad_()
        answer = layers(leaf)
        answer.square().sum().backward()
        results.append([answer.detach(), leaf.grad, *(p.grad for p in layers.parameters())])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("axis", [0, None])
def test_pooled_convolution_can_be_stacked_and_differentiated_by_example(axis):
    torch.manual_seed(0)
    ours, usual = pooled_and_usual()
    x = torch.randn(4, 2, 3, 8, 8) if axis == 0 else torch.randn(2, 3, 8, 8)
    names = [name for name, _ in ours.named_parameters()]
    stacked = {n: torch.stack([p * k for k in (1.0, 0.5, -1.0, 2.0)])
               for n, p in zip(names, usual.parameters(), strict=True)}  # fmt: skip

    def gradients(network):
        def loss(parameters, x):
            return functional_call(network, parameters, (x[None],)).square().sum()

        return vmap(vmap(grad(loss), in_dims=(None, 0)), in_dims=(0, axis))(stacked, x)

    for name, gradient in gradients(ours).items():
        torch.testing.assert_close(gradient, gradients(usual)[name])


def test_mlp_is_the_written_out_formula():
    network = build("mlp", (2, 3), 4, widths=[5], activation="tanh")
    (first, first_bias), second = network.body[1].parameters(), network.head
    x = torch.randn(6, 2, 3)
    hidden = torch.stack([torch.tanh(first @ each.flatten() + first_bias) for each in x])
    torch.testing.assert_close(network.features(x), hidden)
    torch.testing.assert_close(network(x), hidden @ second.weight.T + second.bias)


@deep_ones_slowly
def test_evaluation_does_not_see_the_rest_of_the_batch(name):
    network = build(name, **SMALL.get(name, {}))
    x = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        trained = network(x * 2 + 1)  # moves the running statistics, where there are any
        network.eval()
        together, alone = network(x), torch.cat([network(each[None]) for each in x])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    other = any(isinstance(m, torch.nn.BatchNorm2d | torch.nn.Dropout) for m in network.modules())
    assert torch.allclose(trained, network(x * 2 + 1), rtol=1e-3, atol=1e-6) != other


def test_networks_that_draw_are_not_stacked():
    def draws(name):
        network = build(name, **SMALL.get(name, {}))
        return any(isinstance(module, torch.nn.Dropout) for module in network.modules())

    assert set(filter(draws, NAMES)) == set(NAMES) - set(STACKABLE)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in DEEP)) for n in STACKABLE if n in NAMES],
)
@pytest.mark.parametrize("training", [True, False])
def test_stacked_is_one_by_one(name, training):
    """Logits, gradients, running statistics of two networks in one call, and of each alone.

    In float64: in float32 a deep network's rounding differs with the number of threads.
    """
    networks = [
        build(name, seed=seed, **SMALL.get(name, {})).train(training).double() for seed in (1, 2)
    ]
    parameters, buffers = stack_module_state(networks)
    torch.manual_seed(3)
    x = torch.randn(2, 4, 3, 32, 32, dtype=torch.float64)
    stacked = vmap(lambda p, b, x: functional_call(networks[0], (p, b), (x,)))(
        parameters, buffers, x
    )
    stacked.square().mean((1, 2)).sum().backward()
    for k, network in enumerate(networks):
        alone = network(x[k])
        alone.square().mean().backward()
        torch.testing.assert_close(stacked[k], alone, rtol=1e-9, atol=1e-9)
        for key, weights in network.named_parameters():
            scale = weights.grad.abs().max().item()
            torch.testing.assert_close(
                parameters[key].grad[k], weights.grad, rtol=1e-9, atol=1e-9 * max(scale, 1.0)
            )
        for key, buffer in network.named_buffers():
            torch.testing.assert_close(buffers[key][k], buffer, rtol=1e-9, atol=1e-9)
            if "num_batches_tracked" in key:
                assert buffers[key][k] == int(training)


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_default_options_pass_their_own_checks(path):
    from miatlas.study.checking import checked

    options = declared(path, "build")
    defaults = {key: option.default for key, option in options.items()}
    assert checked({}, options, path.stem) == defaults


@deep_ones_slowly
def test_weights_follow_the_global_seed(name):
    options = SMALL.get(name, {})
    first, same, other = (build(name, seed=seed, **options) for seed in (5, 5, 6))
    assert all(map(torch.equal, first.parameters(), same.parameters()))
    assert not torch.equal(first.head.weight, other.head.weight)


def test_building_touches_no_running_statistics():
    for name in ("resnet", "wide_resnet", "densenet121", "vgg16", "fast_resnet"):
        network = build(name, **SMALL.get(name, {}))
        assert network.training
        assert all(module.training for module in network.modules())
        tracked = [b for key, b in network.named_buffers() if "running_mean" in key]
        assert tracked
        assert sum(prod(b.shape) for b in tracked) > 0
        assert all(not b.any() for b in tracked)
