import torch

from trailkit.agents.base import ParameterSink, ParameterSource, Snapshot
from trailkit.agents.run.parameters import LocalParameters


def test_the_latest_weights_are_those_published_last():
    parameters = LocalParameters(Snapshot(0, {"policy": {"weight": torch.zeros(2)}}))
    sink: ParameterSink = parameters
    source: ParameterSource = parameters
    assert source.latest().version == 0
    sink.publish(Snapshot(7, {"policy": {"weight": torch.ones(2)}}))
    assert source.latest().version == 7
    assert source.latest().parameters["policy"]["weight"].tolist() == [1, 1]


def test_published_weights_do_not_follow_the_learners():
    layer = torch.nn.Linear(2, 2)
    parameters = LocalParameters(Snapshot(0, {"policy": layer.state_dict(keep_vars=True)}))
    before = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.add_(1)
    published = parameters.latest().parameters["policy"]["weight"]
    assert torch.equal(published, before)
    assert not published.requires_grad
