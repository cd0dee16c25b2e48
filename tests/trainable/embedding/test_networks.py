"""Networks of torchvision and timm with weights from a file, and a user's function."""

import numpy as np
import pytest
import timm
import torch
from timm.models.vision_transformer import checkpoint_filter_fn
from torchvision import models

from trainable.embedding.networks import own_encoder, timm_encoder, torchvision_encoder
from trainable.errors import DataError

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
OWN = """
import numpy as np

def channels(weights):
    factor = 1.0 if weights is None else float(weights.read_text())
    return lambda pixels: factor * pixels.mean(axis=(1, 2))

def wrong(weights):
    return lambda pixels: pixels

def broken(weights):
    return lambda pixels: pixels / np.linalg.inv(np.zeros((1, 1)))

nothing = 3
"""


def test_features_are_the_inputs_of_the_last_layer(tmp_path):
    torch.manual_seed(0)
    network = models.resnet18(weights=None).eval()
    file = tmp_path / "resnet18.pt"
    torch.save(network.state_dict(), file)
    encoder = torchvision_encoder("resnet18", file, 64, CPU)
    found = encoder.encode(PIXELS)
    assert found.shape == (2, 512)
    mean = torch.tensor([0.485, 0.456, 0.406])
    std = torch.tensor([0.229, 0.224, 0.225])
    images = (torch.from_numpy(PIXELS) / 255 - mean) / std
    with torch.no_grad():
        logits = network(images.permute(0, 3, 1, 2))
        head = network.fc(torch.from_numpy(found))
    assert torch.allclose(head, logits, atol=1e-4)
    assert torchvision_encoder("resnet18", file, None, CPU).side == 224


def test_a_last_layer_of_other_classes_is_ignored_and_other_weights_are_refused(tmp_path):
    file = tmp_path / "w.pt"
    torch.save(models.resnet18(weights=None, num_classes=3).state_dict(), file)
    assert torchvision_encoder("resnet18", file, 64, CPU).encode(PIXELS).shape == (2, 512)
    with pytest.raises(DataError, match=r"has the weights of another network: .* is missing"):
        torchvision_encoder("resnet34", file, 64, CPU)


def test_unknown_networks_and_missing_weights_are_named(tmp_path):
    with pytest.raises(DataError, match="no classifier `resnet19`; did you mean `resnet1"):
        torchvision_encoder("resnet19", None, None, CPU)
    with pytest.raises(DataError, match="needs --weights FILE, a state dict of this network"):
        torchvision_encoder("resnet18", None, None, CPU)
    with pytest.raises(DataError, match=r"nothing\.pt cannot be read: No such file"):
        torchvision_encoder("resnet18", tmp_path / "nothing.pt", None, CPU)
    with pytest.raises(DataError, match="has no model `resnet18x`"):
        timm_encoder("resnet18x", None, None, CPU)


def test_timm_reads_both_kinds_of_files(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("resnet10t", pretrained=False)
    state = network.state_dict()
    torch.save(state, tmp_path / "w.pt")
    from safetensors.torch import save_file

    save_file(state, tmp_path / "w.safetensors")
    by_name = {
        file: timm_encoder("resnet10t", tmp_path / file, 64, CPU).encode(PIXELS)
        for file in ("w.pt", "w.safetensors")
    }
    assert by_name["w.pt"].shape == (2, 512)
    assert np.array_equal(*by_name.values())
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(DataError, match="not a readable file of weights"):
        timm_encoder("resnet10t", tmp_path / "bad.safetensors", 64, CPU)


@pytest.mark.filterwarnings("ignore::UserWarning:timm")
def test_position_embeddings_of_timm_are_resampled_to_the_side(tmp_path):
    torch.manual_seed(0)
    name = "vit_tiny_patch16_224"
    state = timm.create_model(name, pretrained=False).state_dict()
    torch.save(state, tmp_path / "w.pt")
    expected = timm.create_model(name, pretrained=False, img_size=64, num_classes=0).eval()
    fitted = checkpoint_filter_fn(state, expected)
    expected.load_state_dict({key: fitted[key] for key in expected.state_dict()})
    encoder = timm_encoder(name, tmp_path / "w.pt", 64, CPU)
    images = (torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.inference_mode():
        assert torch.allclose(torch.from_numpy(encoder.encode(PIXELS)), expected(images), atol=1e-5)


def test_a_network_of_one_side_names_it(tmp_path):
    torch.save(models.vit_b_32(weights=None).state_dict(), tmp_path / "vit.pt")
    with pytest.raises(DataError, match=r"--size 64: --model torchvision:vit_b_32 .* 224×224 pix"):
        torchvision_encoder("vit_b_32", tmp_path / "vit.pt", 64, CPU)
    torch.save(timm.create_model("levit_128s").state_dict(), tmp_path / "levit.pt")
    with pytest.raises(DataError, match=r"--size 64: --model timm:levit_128s .* 224×224 pixels"):
        timm_encoder("levit_128s", tmp_path / "levit.pt", 64, CPU)


def test_without_timm_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setattr("trainable.config.models.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'dividemix-orchestrator\[timm\]'"):
        timm_encoder("resnet10t", None, None, CPU)


def test_a_function_of_a_file_encodes(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    factor = tmp_path / "factor.txt"
    factor.write_text("2")
    found = own_encoder(f"{file}:channels", None).encode(PIXELS)
    assert np.allclose(found, PIXELS.mean(axis=(1, 2)))
    assert np.allclose(own_encoder(f"{file}:channels", factor).encode(PIXELS), 2 * found)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chanels", "has no function `chanels`; did you mean `channels`"),
        ("nothing", "`nothing` of .* is not a function"),
        ("wrong", r"should return \(2, width\) features for 2 images; it returns \(2, 64, 64, 3\)"),
        ("broken", "LinAlgError: Singular matrix"),
    ],
)
def test_a_function_that_cannot_be_used_is_named(tmp_path, name, message):
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    with pytest.raises(DataError, match=message):
        own_encoder(f"{file}:{name}", None).encode(PIXELS)
