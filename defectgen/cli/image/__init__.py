"""The command for pixels."""

from defectgen.cli.image.command import image_command

__all__ = ["image_command"]
