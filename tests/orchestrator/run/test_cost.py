"""`plan --cost`: what the missing trials take, and which trial cannot be trained."""

STUDY = """
name: tiny
seeds: [0, 1]
base:
  data: {name: digits}
  noise: {name: symmetric, rate: 0.2}
  model: {name: MODEL}
  train: {epochs: 2}
  method: {name: cross_entropy}
arms:
  slow: {train.lr: 0.001}
"""


def test_time_and_space_of_each_arm_are_printed(tmp_path, command):
    study = tmp_path / "tiny.yaml"
    study.write_text(STUDY.replace("MODEL", "small_cnn, width: 4"))
    code, out, err = command("plan", study, "--results", tmp_path, "--cost")
    assert code == 0, err
    assert "slow: " in out
    assert "cost of 4 missing trials" in out


def test_a_model_that_does_not_fit_the_images_is_a_sentence(tmp_path, command):
    study = tmp_path / "tiny.yaml"
    study.write_text(STUDY.replace("MODEL", "preact_resnet18"))
    code, _, err = command("plan", study, "--results", tmp_path, "--cost")
    assert code == 2
    assert "baseline/seed=0: preact_resnet18 takes images of at least 9×9 pixels" in err
