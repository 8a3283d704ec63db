"""How weights get from the learner to the actors: here within one process."""

from trailkit.agents.base import Parameters, Snapshot


class LocalParameters:
    """Both ends of the way, a `ParameterSink` and a `ParameterSource`, in one process."""

    def __init__(self, initial: Snapshot) -> None:
        self.publish(initial)

    def publish(self, snapshot: Snapshot) -> None:
        """Makes these weights the latest.

        They are copied: the learner goes on changing its own in place, and actors must not see that between versions.
        """
        parameters: Parameters = {
            group: {name: tensor.detach().clone() for name, tensor in weights.items()}
            for group, weights in snapshot.parameters.items()
        }
        self._snapshot = snapshot._replace(parameters=parameters)

    def latest(self) -> Snapshot:
        """The newest weights; its tensors are shared by all who ask."""
        return self._snapshot
