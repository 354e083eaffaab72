"""DefectBench: any generator of defective crystals on frozen held-out hosts, beside baselines, with intervals."""
