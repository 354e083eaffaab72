"""The command for pixels."""

from defectgen.cli.commands.image.command import image_command

__all__ = ["image_command"]
