"""The discriminator, its losses, rewards and augmentation."""
