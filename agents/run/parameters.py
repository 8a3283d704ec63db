"""How weights get from the learner to the actors: here within one process."""

from trailkit.agents.base import Parameters, Snapshot


class LocalParameters:
    """Both a `ParameterSink` and a `ParameterSource`, within one process."""

    def __init__(self, initial: Snapshot) -> None:
        self.publish(initial)

    def publish(self, snapshot: Snapshot) -> None:
        """Makes these weights the latest.

        They are copied: the learner keeps changing its own in place, and actors must only see changes per version.
        """
        parameters: Parameters = {
            group: {name: tensor.detach().clone() for name, tensor in weights.items()}
            for group, weights in snapshot.parameters.items()
        }
        self._snapshot = snapshot._replace(parameters=parameters)

    def latest(self) -> Snapshot:
        """The newest weights; all callers share their tensors."""
        return self._snapshot
