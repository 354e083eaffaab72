"""`python -m defectgen` is the command line."""

from defectgen.cli import main

if __name__ == "__main__":
    main()
