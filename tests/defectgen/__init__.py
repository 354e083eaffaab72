"""Tests of defectgen."""
