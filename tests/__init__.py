"""Tests of the three packages; each folder mirrors one."""
