"""The whole way from a settings file to a report: python examples/whole_run.py [SETTINGS.yaml]."""

import sys
from pathlib import Path

from defectgen.pipeline.run import run_pipeline
from defectgen.run.settings import read_settings

if __name__ == "__main__":  # the work is shared between processes, which import this file again
    settings = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "settings" / "quick_look.yaml"
    print(run_pipeline(read_settings(Path(settings))))
