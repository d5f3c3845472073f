"""`python -m mlops_app`: the image's entry point."""

from mlops_app.cli import main

if __name__ == "__main__":
    main()
