"""The typed errors of the project; each message says what was found, where, and what to do."""


class DefectgenError(Exception):
    """Base of every error meant for the user; the command line prints it in one line and exits with 2."""


class CifError(DefectgenError):
    """A file that holds no usable ideal host crystal."""


class SymmetryError(DefectgenError):
    """A request that the symmetry of the crystal does not allow, or a broken group axiom."""


class SupercellError(DefectgenError):
    """No supercell fits what was asked."""


class DefectError(DefectgenError):
    """A defect that the host cannot hold, or a defect key that cannot be read."""


class ConditionError(DefectgenError):
    """An environment or a generation condition that is not possible (temperature, pressure, subgroup, ...)."""


class PotentialError(DefectgenError):
    """A potential that is missing, cannot be loaded, or does not cover the elements requested."""


class UnconvergedError(PotentialError):
    """A calculation of electrons that came to no end: the structure has no label, and nothing else is at fault."""


class SettingsError(DefectgenError):
    """Settings that cannot be read or do not fit together."""


class ResumeError(DefectgenError):
    """A folder that belongs to another run or whose state cannot be trusted."""


class DataError(DefectgenError):
    """A file of records or cells that is damaged or does not fit what is asked of it."""


class StoppedError(DefectgenError):
    """A command was interrupted; says what is left of its work."""
