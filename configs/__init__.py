"""Configuration: Hydra groups as YAML and the dataclass schema that types them."""
