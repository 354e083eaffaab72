"""What each network learns from: samples, targets and losses."""
