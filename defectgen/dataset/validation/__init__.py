"""Validation and cleaning of anybody's dataset."""

from defectgen.dataset.validation.cleaning import Cleaned, clean_dataset
from defectgen.dataset.validation.finding import Finding, Place
from defectgen.dataset.validation.report import ValidationReport
from defectgen.dataset.validation.validate import validate_dataset

__all__ = ["Cleaned", "Finding", "Place", "ValidationReport", "clean_dataset", "validate_dataset"]
